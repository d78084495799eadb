"""Tables to image bytes and back: header, section directory, checksums.

docs/chain-image.md is the specification, byte by byte.
"""

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.choice import choice_starts
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
VERSION = 2
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
    "row": 4,
    "start": 4,
    "draws": 1,
    "state_tokens": 4,
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


def assemble(tables: Tables, tokens: int) -> bytearray:
    """The image's bytes. Raises ImageTooLargeError where a number does not fit in 32 bits."""
    for name in ("states", "transitions", "vocabulary"):
        if getattr(tables, name) >= LIMIT - 1:
            raise ImageTooLargeError(f"{getattr(tables, name)} {name}: an image numbers at most {LIMIT - 2}")
    if tables.transitions + len(tables.lists) >= LIMIT:
        raise ImageTooLargeError(f"{tables.transitions} transitions and lists: an image numbers less than {LIMIT}")
    if len(tables.word_text) >= LIMIT:
        raise ImageTooLargeError(f"{len(tables.word_text)} bytes of words: an image holds less than {LIMIT}")
    sections = _sections(tables)
    sizes = [sum(part.nbytes for part in parts) for parts in sections]
    offset = _aligned(HEADER_SIZE)
    image = bytearray(offset + sum(map(_aligned, sizes)))
    content = np.frombuffer(image, np.uint8)
    entries = []
    for (name, width), parts, size in zip(WIDTHS.items(), sections, sizes, strict=True):
        into = content[offset : offset + size].view(_dtype(name))
        if name == "cell":
            into[::2], into[1::2] = parts
        else:
            np.concatenate(parts, out=into)
        entries.append(ENTRY.pack(offset, size, crc32(content[offset : offset + size].data), width))
        offset += _aligned(size)
    header = PREFIX.pack(MAGIC, VERSION, HEADER_SIZE, len(image), tables.state_size, len(WIDTHS), tokens)
    header += b"".join(entries)
    image[:HEADER_SIZE] = header + struct.pack("<I", crc32(header))
    return image


def _sections(tables: Tables) -> list[Sequence[NDArray[Any]]]:
    """The arrays as they are laid out, in the order of WIDTHS; those of a section one after the other, or mixed."""
    together: dict[str, Sequence[NDArray[Any]]] = {
        "row": [tables.state_row],
        "start": [choice_starts(tables.draws, tables.state_row, tables.dest)],
        "state_tokens": tables.state_tokens,
        "dest": [tables.dest, tables.lists],
        "cell": [tables.keep, tables.jump],
    }
    return [together[name] if name in together else [getattr(tables, name)] for name in WIDTHS]


@dataclass(frozen=True, slots=True)
class Parsed:
    """An image's sections as they lie, nothing copied (on a big-endian machine they are swapped copies)."""

    tables: Tables
    tokens: int
    start: U32  # [N] what a walk goes on with from each state
    dest: U32  # [M + K] destinations, then lists
    cell: U32  # [2 A] keep and jump of each alias cell


def parse(data: memoryview) -> Parsed:
    """Views of an image's sections.

    Checks the header and the bounds, not the sections' checksums. Raises the ImageError that names the fault.
    """
    entries, state_size, tokens = _directory(data)
    arrays: dict[str, Any] = {}
    for name, (offset, size, _, width) in zip(WIDTHS, entries, strict=True):
        if width != WIDTHS[name] or size % width or offset % ALIGNMENT or offset < HEADER_SIZE:
            raise DamagedImageError(f"section {name}: impossible place or item size")
        if offset + size > len(data):
            raise TruncatedImageError(f"section {name} ends at {offset + size}, the image at {len(data)}")
        arrays[name] = _view(data[offset : offset + size], _dtype(name))
    rows, start, columns, dest, cell = map(arrays.pop, ("row", "start", "state_tokens", "dest", "cell"))
    states, transitions = len(rows) - 1, len(arrays["count"])
    for name, length, wanted in (
        ("row", states, max(1, states)),
        ("start", len(start), states),
        ("draws", len(arrays["draws"]), states),
        ("state_tokens", len(columns), states * state_size),
        ("dest", len(dest), max(transitions, len(dest))),
        ("cell", len(cell), len(cell) // 2 * 2),
    ):
        if length != wanted:
            raise DamagedImageError(f"section {name}: its length does not fit the others")
    arrays |= {"state_row": rows, "state_tokens": tuple(columns.reshape(state_size, states))}
    arrays |= {"dest": dest[:transitions], "lists": dest[transitions:], "keep": cell[::2], "jump": cell[1::2]}
    tables = Tables(**arrays)
    _check_shapes(tables, tokens)
    return Parsed(tables, tokens, start, dest, cell)


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
        raise ImageVersionError(version, VERSION)
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


def _dtype(name: str) -> str:
    return f"<{'i' if name in SIGNED else 'u'}{WIDTHS[name]}"


def _view(data: memoryview, dtype: str) -> NDArray[Any]:
    array = np.frombuffer(data, dtype)
    return array if sys.byteorder == "little" else array.astype(array.dtype.newbyteorder("="))


def _check_shapes(tables: Tables, tokens: int) -> None:
    """That the sections' lengths agree with one another, so that what one says of another stays inside it."""
    words, transitions = tables.vocabulary, tables.transitions
    wrong = [
        name
        for name, length in {
            "word_end": words + 1,
            "token_states": words + 2,
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
            "row": (tables.state_row, transitions),
            "word_end": (tables.word_end, len(tables.word_text)),
            "token_states": (tables.token_states, tables.states),
        }
        wrong = [name for name, (array, end) in ends.items() if int(array[-1]) != end]
    if wrong:
        raise DamagedImageError(f"section {wrong[0]}: its length does not fit the others")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
