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
from markov_shard.chain.tables import U32, Tables
from markov_shard.chain.text import MAX_STATE_SIZE

MAGIC = b"\x89MKVIMG\n"
VERSION = 1
ALIGNMENT = 64
PREFIX = struct.Struct("<8sIIQIIQ")  # magic, version, header bytes, image bytes, state size, sections, tokens
ENTRY = struct.Struct("<QQII")  # offset, bytes, CRC-32, bytes an item
LIMIT = 1 << 32

WIDTHS = {  # each section's bytes an item
    "word_hash": 4,
    "word_end": 4,
    "word_text": 1,
    "token_states": 4,
    "fold_hash": 4,
    "fold_token": 4,
    "state": 4,
    "context": 4,
    "dest": 4,
    "count": 1,
    "big_index": 4,
    "big_count": 4,
    "source": 1,
    "source_ids": 8,
    "cell": 4,
    "fingerprints": 8,
}
SIGNED = {"source_ids"}
HEADER_SIZE = PREFIX.size + ENTRY.size * len(WIDTHS) + 4
RECORD = 3  # numbers a state has in the section `state`: what a step of a walk reads lies together


def assemble(tables: Tables, tokens: int) -> bytearray:
    """The image's bytes. Raises ImageTooLargeError where a number does not fit in 32 bits."""
    for name in ("states", "transitions", "vocabulary"):
        if getattr(tables, name) >= LIMIT - 1:
            raise ImageTooLargeError(f"{getattr(tables, name)} {name}: an image numbers at most {LIMIT - 2}")
    if len(tables.word_text) >= LIMIT:
        raise ImageTooLargeError(f"{len(tables.word_text)} bytes of words: an image holds less than {LIMIT}")
    placed = []
    end = _aligned(HEADER_SIZE)
    for array in _sections(tables):
        placed.append((array, end))
        end = _aligned(end + array.nbytes)
    image = bytearray(end)
    entries = []
    for array, offset in placed:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        view = np.ascontiguousarray(little).reshape(-1).view(np.uint8).data
        image[offset : offset + len(view)] = view
        entries.append(ENTRY.pack(offset, len(view), crc32(view), array.itemsize))
    header = PREFIX.pack(MAGIC, VERSION, HEADER_SIZE, end, tables.state_size, len(WIDTHS), tokens)
    header += b"".join(entries)
    image[:HEADER_SIZE] = header + struct.pack("<I", crc32(header))
    return image


def _sections(tables: Tables) -> list[NDArray[Any]]:
    """The arrays as they are laid out, in the order of WIDTHS."""
    record = np.zeros((tables.states + 1, RECORD), np.uint32)
    record[:, 0] = tables.state_row
    record[:-1, 1] = tables.state_alias
    record[:-1, 2] = tables.state_tokens[0]
    cell = np.empty((len(tables.keep), 2), np.uint32)
    cell[:, 0] = tables.keep
    cell[:, 1] = tables.jump
    context = np.concatenate([np.empty(0, np.uint32), *tables.state_tokens[1:]])
    together = {"state": record, "context": context, "cell": cell}
    return [together[name] if name in together else getattr(tables, name) for name in WIDTHS]


def parse(data: memoryview) -> tuple[Tables, int, U32, U32]:
    """Views of an image's sections, nothing copied (on a big-endian machine they are swapped copies), its tokens,
    and the sections `state` and `cell` as they lie.

    Checks the header and the bounds, not the sections' checksums. Raises the ImageError that names the fault.
    """
    entries, state_size, tokens = _directory(data)
    arrays: dict[str, Any] = {}
    for name, (offset, size, _, width) in zip(WIDTHS, entries, strict=True):
        if width != WIDTHS[name] or size % width or offset % ALIGNMENT or offset < HEADER_SIZE:
            raise DamagedImageError(f"section {name}: impossible place or item size")
        if offset + size > len(data):
            raise TruncatedImageError(f"section {name} ends at {offset + size}, the image at {len(data)}")
        arrays[name] = _view(data[offset : offset + size], f"<{'i' if name in SIGNED else 'u'}{width}")
    record, context, cell = arrays.pop("state"), arrays.pop("context"), arrays.pop("cell")
    states = len(record) // RECORD - 1
    for name, section, length in (("state", record, RECORD), ("context", context, state_size - 1), ("cell", cell, 2)):
        if length and len(section) % length:
            raise DamagedImageError(f"section {name}: not a whole number of records")
    if states < 1 or len(context) != states * (state_size - 1):
        raise DamagedImageError("section context: its length does not fit the others")
    arrays["state_row"], arrays["state_alias"] = record[::RECORD], record[1:-RECORD:RECORD]
    arrays["state_tokens"] = (record[2:-RECORD:RECORD], *context.reshape(state_size - 1, states))
    arrays["keep"], arrays["jump"] = cell[::2], cell[1::2]
    tables = Tables(**arrays)
    _check_shapes(tables, tokens)
    return tables, tokens, record, cell


def verify_sections(data: memoryview) -> None:
    """Recompute every section's checksum; raises DamagedImageError naming the section."""
    entries, _, _ = _directory(data)
    for name, (offset, size, checksum, _) in zip(WIDTHS, entries, strict=True):
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
    if header_size != HEADER_SIZE or sections != len(WIDTHS) or not 1 <= state_size <= MAX_STATE_SIZE:
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
            "count": transitions,
            "big_count": len(tables.big_index),
            "fold_token": len(tables.fold_hash),
        }.items()
        if len(getattr(tables, name)) != length
    ]
    if transitions and (len(tables.source) % transitions or not 1 <= tables.source_width <= 4):
        wrong.append("source")
    if tokens < tables.messages:
        wrong.append("fingerprints")
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
