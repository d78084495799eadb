"""Half a surrogate pair in a JSON file, marked before a parser sees it.

ijson would turn one half into a question mark and give the whole file up for the other. Here an entry that has either
is one bad entry, like one with NUL.
"""

import io
import re

_HEX = b"[0-9a-fA-F]"
_HIGH, _LOW = rb"\\u[dD][89abAB]" + _HEX * 2, rb"\\u[dD][c-fC-F]" + _HEX * 2
_BEGUN = rb"\\(?:u" + _HEX + b"{0,3})?"
_ESCAPE = re.compile(
    _HIGH + _LOW + b"|(?P<cut>(?:" + _HIGH + b")?" + _BEGUN + rb"\Z|" + _HIGH + rb"\Z)"
    b"|(?P<lone>" + _HIGH + b"|" + _LOW + rb")|\\[^u]|\\u" + _HEX * 4,
    re.DOTALL,
)
_MARK = rb"\u0000"
"""What no text may hold: `entries.checked_text` refuses it."""


class PairedReader:
    """A JSON file with `\\u0000` in the place of each lone surrogate, which is as long."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._held = b""  # an escape that the last read cut in two

    def read(self, size: int = -1) -> bytes:
        """About `size` bytes; none at the end."""
        while new := self._file.read(size):
            if data := self._paired(self._held + new):
                return data
        rest, self._held = self._held, b""
        return rest

    def _paired(self, data: bytes) -> bytes:
        self._held = b""
        if b"\\u" not in data and not data.endswith(b"\\"):
            return data
        return _ESCAPE.sub(self._judged, data)

    def _judged(self, found: re.Match[bytes]) -> bytes:
        if found["lone"]:
            return _MARK
        if found["cut"]:
            self._held = found[0]
            return b""
        return found[0]
