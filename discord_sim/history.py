"""Histories of any length that take no memory: message number `n` of a seed is the same whenever it is asked for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from discord_sim.ids import EPOCH_MS
from discord_sim.state import Message, User

_MASK = (1 << 64) - 1
_ORIGIN = 2 << 12
_WORDS = [
    "the",
    "a",
    "my",
    "your",
    "this",
    "that",
    "some",
    "every",
    "bread",
    "kettle",
    "river",
    "garden",
    "window",
    "morning",
    "train",
    "letter",
    "cat",
    "dog",
    "cloud",
    "song",
    "book",
    "table",
    "lamp",
    "street",
    "coffee",
    "winter",
    "island",
    "castle",
    "engine",
    "ladder",
    "mirror",
    "pocket",
    "ribbon",
    "saddle",
    "thunder",
    "velvet",
    "runs",
    "sings",
    "falls",
    "waits",
    "opens",
    "breaks",
    "turns",
    "grows",
    "finds",
    "keeps",
    "makes",
    "takes",
    "gives",
    "holds",
    "sees",
    "hears",
    "knows",
    "likes",
    "slowly",
    "quickly",
    "never",
    "always",
    "often",
    "today",
    "tomorrow",
    "again",
    "almost",
    "maybe",
    "really",
    "quietly",
    "loudly",
    "here",
    "there",
    "and",
    "but",
    "or",
    "because",
    "while",
    "until",
    "with",
    "without",
    "under",
    "over",
    "near",
    "after",
    "before",
    "into",
    "from",
    "about",
    "like",
    "as",
    "if",
]


class GeneratedHistory:
    """`count` messages of `authors`, evenly spaced from `first` to `last` (Unix seconds), told from `lines` or made up.

    Raises ValueError where there is less than a millisecond for each message, or nobody to write them.
    """

    def __init__(
        self,
        channel_id: int,
        authors: Sequence[User],
        count: int,
        *,
        first: float,
        last: float,
        seed: int = 0,
        lines: Sequence[str] = (),
    ) -> None:
        span = int((last - first) * 1000)
        if count < 1 or span < count:
            raise ValueError(f"{count} messages need at least as many milliseconds, not {span}")
        if not authors:
            raise ValueError("a history needs somebody who wrote it")
        self._channel_id = channel_id
        self._authors = authors
        self._count = count
        self._first = int(first * 1000) - EPOCH_MS
        self._step = span // count
        self._seed = seed
        self._lines = lines

    def __len__(self) -> int:
        return self._count

    def find(self, message_id: int) -> Message | None:
        number = self._number_at(message_id)
        return self._message(number) if 0 <= number < self._count and self._id(number) == message_id else None

    def before(self, message_id: int, limit: int) -> list[int]:
        end = self._number_at(message_id)
        end = max(0, min(self._count, end if end < 0 or self._id(end) >= message_id else end + 1))
        return [self._id(number) for number in range(max(0, end - limit), end)]

    def after(self, message_id: int, limit: int) -> list[int]:
        start = max(0, self._number_at(message_id))
        start += start < self._count and self._id(start) <= message_id
        return [self._id(number) for number in range(start, min(self._count, start + limit))]

    def _id(self, number: int) -> int:
        return (self._first + number * self._step) << 22 | _ORIGIN

    def _number_at(self, message_id: int) -> int:
        """The number of the last message of that millisecond or earlier; may be outside the history."""
        return min(((message_id >> 22) - self._first) // self._step, self._count)

    def _message(self, number: int) -> Message:
        dice = _mixed(self._seed * 0x9E3779B97F4A7C15 + number)
        author = self._authors[dice % len(self._authors)]
        return Message(self._id(number), self._channel_id, author, self._text(dice >> 8))

    def _text(self, dice: int) -> str:
        if self._lines:
            return self._lines[dice % len(self._lines)]
        words = []
        for _ in range(3 + dice % 12):
            dice = _mixed(dice)
            words.append(_WORDS[dice % len(_WORDS)])
        return " ".join(words)


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64: neighbouring numbers come out unrelated."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def read_lines(path: Path, most: int = 1_000_000) -> list[str]:
    """A chat log's texts, at most 2,000 characters each: plain lines, or JSON lines with `message` or `content`.

    Raises OSError, and ValueError for a line that is not of that kind.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [text for _, text in zip(range(most), _texts(file, path), strict=False)]


def _texts(file: Iterator[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        text = line.strip()
        if ".jsonl" in path.name and text:
            document = json.loads(text)
            text = document.get("message") or document.get("content") or "" if isinstance(document, dict) else document
            if not isinstance(text, str):
                raise ValueError(f"{path}, line {number}: no text in `message` or `content`")
        if text:
            yield text[:2000]
