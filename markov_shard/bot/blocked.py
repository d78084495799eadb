"""Words that are never answered with."""

import re
from collections.abc import Sequence


class BlockedWords:
    """Finds the operator's words and phrases in a text, as whole words, whatever their case."""

    def __init__(self, words: Sequence[str]) -> None:
        parts = [r"\s+".join(map(re.escape, word.split())) for word in words if word.split()]
        self._found = re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE) if parts else None

    def __bool__(self) -> bool:
        return self._found is not None

    def within(self, text: str) -> bool:
        """Whether the text holds one of them."""
        return self._found is not None and self._found.search(text) is not None
