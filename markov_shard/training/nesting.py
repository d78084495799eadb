"""How deep a JSON file is nested and how long its strings are, judged before a parser sees them.

ijson keeps the path of every open array and object: memory in the square of the depth, so that 200 KB of brackets
would take 25 GB. A string takes it time in the square of its length: 25 s for 80 MB. This looks at brackets and
quotes only, with the tools of `bytes`.
"""

import io
import re
from typing import Protocol

from markov_shard.errors import TrainingInputError
from markov_shard.training.surrogates import PairedReader
from markov_shard.training.unpacking import MAX_LINE

MAX_DEPTH = 32
"""The deepest that a file of any format we know goes is 8: a field of an embed of an export."""

_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"')
_BRACKETS = b"[]{}"
_MUTE = bytes(byte for byte in range(256) if byte not in _BRACKETS + b'"')


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class ShallowReader:
    """A file for ijson, which refuses what is nested deeper than MAX_DEPTH, and strings longer than MAX_LINE bytes.

    `name`: for the refusal.
    """

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        self._file: _Readable = PairedReader(file)
        self._name = name
        self._depth = 0
        self._in_string = False
        self._string_bytes = 0
        self._escaping = False  # the last byte was a backslash, which takes the next one with it

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes. Raises TrainingInputError before any that lie too deep, or too far, are given out."""
        data = self._file.read(size)
        brackets = self._brackets(data)
        if self._string_bytes > MAX_LINE:
            raise TrainingInputError(f"{self._name}: a string longer than {MAX_LINE >> 20} MiB, as no chat has")
        for bracket in brackets:
            if bracket in b"[{":
                self._depth += 1
                if self._depth > MAX_DEPTH:
                    raise TrainingInputError(f"{self._name}: nested more than {MAX_DEPTH} deep, as no chat is")
            else:
                self._depth -= 1
        return data

    def _brackets(self, data: bytes) -> bytes:
        """Those outside of strings, in order."""
        if self._escaping:
            data = data[1:]
        if b"\\" in data:
            data = _ESCAPED.sub(b"", data)
        self._escaping = data.endswith(b"\\")
        bare = data.translate(None, _MUTE)
        self._string_bytes = self._string_bytes + len(data) if self._in_string and b'"' not in bare else 0
        bare, open_quote, _ = _STRING.sub(b"", b'"' + bare if self._in_string else bare).partition(b'"')
        self._in_string = bool(open_quote)
        return bare
