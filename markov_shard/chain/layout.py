"""Tables to image bytes and back: header, section directory, checksums.

docs/chain-image.md is the specification, byte by byte.
"""

import struct
import sys
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.errors import (
    DamagedImageError,
    ForeignImageError,
    ImageTooLargeError,
    ImageVersionError,
    TruncatedImageError,
)
from markov_shard.chain.tables import SECTIONS, Tables
from markov_shard.chain.text import MAX_STATE_SIZE

MAGIC = b"\x89MKVIMG\n"
VERSION = 1
ALIGNMENT = 64
PREFIX = struct.Struct("<8sIIQIIQ")  # magic, version, header bytes, image bytes, state size, sections, tokens
ENTRY = struct.Struct("<QQII")  # offset, bytes, CRC-32, bytes an item
HEADER_SIZE = PREFIX.size + ENTRY.size * len(SECTIONS) + 4
LIMIT = 1 << 32

WIDTHS = dict.fromkeys(SECTIONS, (4,)) | {
    "word_text": (1,),
    "count": (1,),
    "source": (1,),
    "source_ids": (8,),
    "fingerprints": (8,),
    "jump": (2, 4),
}
SIGNED = {"source_ids"}


def assemble(tables: Tables, tokens: int) -> bytearray:
    """The image's bytes. Raises ImageTooLargeError where a number does not fit in 32 bits."""
    for name in ("states", "transitions", "vocabulary"):
        if getattr(tables, name) >= LIMIT - 1:
            raise ImageTooLargeError(f"{getattr(tables, name)} {name}: an image numbers at most {LIMIT - 2}")
    if len(tables.word_text) >= LIMIT:
        raise ImageTooLargeError(f"{len(tables.word_text)} bytes of words: an image holds less than {LIMIT}")
    placed = []
    end = _aligned(HEADER_SIZE)
    for name in SECTIONS:
        array = getattr(tables, name)
        placed.append((array, end))
        end = _aligned(end + array.nbytes)
    image = bytearray(end)
    entries = []
    for array, offset in placed:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        view = np.ascontiguousarray(little).reshape(-1).view(np.uint8).data
        image[offset : offset + len(view)] = view
        entries.append(ENTRY.pack(offset, len(view), crc32(view), array.itemsize))
    header = PREFIX.pack(MAGIC, VERSION, HEADER_SIZE, end, tables.state_size, len(SECTIONS), tokens)
    header += b"".join(entries)
    image[:HEADER_SIZE] = header + struct.pack("<I", crc32(header))
    return image


def parse(data: memoryview) -> tuple[Tables, int]:
    """Views of an image's sections, nothing copied (on a big-endian machine they are swapped copies), and its tokens.

    Checks the header and the bounds, not the sections' checksums. Raises the ImageError that names the fault.
    """
    entries, state_size, tokens = _directory(data)
    arrays: dict[str, Any] = {}
    for name, (offset, size, _, width) in zip(SECTIONS, entries, strict=True):
        if width not in WIDTHS[name] or size % width or offset % ALIGNMENT or offset < HEADER_SIZE:
            raise DamagedImageError(f"section {name}: impossible place or item size")
        if offset + size > len(data):
            raise TruncatedImageError(f"section {name} ends at {offset + size}, the image at {len(data)}")
        arrays[name] = _view(data[offset : offset + size], f"<{'i' if name in SIGNED else 'u'}{width}")
    if len(arrays["state_tokens"]) % state_size:
        raise DamagedImageError("section state_tokens: not a whole number of states")
    arrays["state_tokens"] = arrays["state_tokens"].reshape(state_size, -1)
    tables = Tables(**arrays)
    _check_shapes(tables, tokens)
    return tables, tokens


def verify_sections(data: memoryview) -> None:
    """Recompute every section's checksum; raises DamagedImageError naming the section."""
    entries, _, _ = _directory(data)
    for name, (offset, size, checksum, _) in zip(SECTIONS, entries, strict=True):
        if crc32(data[offset : offset + size]) != checksum:
            raise DamagedImageError(f"section {name}: checksum does not match")


def _directory(data: memoryview) -> tuple[list[tuple[int, int, int, int]], int, int]:
    if bytes(data[: len(MAGIC)]) != MAGIC[: len(data)] or not len(data):
        raise ForeignImageError("not a chain image: its first bytes are of something else")
    if len(data) < PREFIX.size:
        raise TruncatedImageError(f"{len(data)} bytes: shorter than an image's header")
    _, version, header_size, size, state_size, sections, tokens = PREFIX.unpack_from(data)
    if version != VERSION:
        raise ImageVersionError(f"chain image of version {version}: this program reads version {VERSION}")
    if len(data) < HEADER_SIZE:
        raise TruncatedImageError(f"{len(data)} bytes: shorter than an image's header")
    (checksum,) = struct.unpack_from("<I", data, HEADER_SIZE - 4)
    if crc32(data[: HEADER_SIZE - 4]) != checksum:
        raise DamagedImageError("header: checksum does not match")
    if header_size != HEADER_SIZE or sections != len(SECTIONS) or not 1 <= state_size <= MAX_STATE_SIZE:
        raise DamagedImageError("header: impossible sizes")
    if len(data) < size:
        raise TruncatedImageError(f"{len(data)} bytes of an image of {size}")
    entries = [ENTRY.unpack_from(data, PREFIX.size + ENTRY.size * place) for place in range(sections)]
    return entries, state_size, tokens


def _view(data: memoryview, dtype: str) -> NDArray[Any]:
    array = np.frombuffer(data, dtype)
    return array if sys.byteorder == "little" else array.astype(array.dtype.newbyteorder("="))


def _check_shapes(tables: Tables, tokens: int) -> None:
    """That the sections' lengths agree with one another, so that what one says of another stays inside it."""
    words, states, transitions = tables.vocabulary, tables.states, tables.transitions
    wrong = [
        name
        for name, length in {
            "word_end": words + 1,
            "token_states": words + 2,
            "state_row": states + 1,
            "state_alias": states,
            "count": transitions,
            "big_count": len(tables.big_index),
            "fold_token": len(tables.fold_hash),
            "jump": len(tables.keep),
        }.items()
        if len(getattr(tables, name)) != length
    ]
    if transitions and (len(tables.source) % transitions or not 1 <= tables.source_width <= 4):
        wrong.append("source")
    if not states or tokens < tables.messages:
        wrong.append("state_tokens")
    if not wrong:
        ends = {
            "state_row": (tables.state_row, transitions),
            "word_end": (tables.word_end, len(tables.word_text)),
            "token_states": (tables.token_states, states),
        }
        wrong = [name for name, (array, end) in ends.items() if int(array[-1]) != end]
    if wrong:
        raise DamagedImageError(f"section {wrong[0]}: its length does not fit the others")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
