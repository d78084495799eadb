"""Chat logs of any length, made from the phrases of a real one: as many different words and pairs as people write."""

import random
from collections.abc import Sequence
from pathlib import Path

import orjson

_FIRST_ID = 366566659063808000
_BATCH = 10_000


def write_chat(path: Path, texts: Sequence[str], messages: int, *, seed: int = 1) -> int:
    """Writes JSON lines with IDs, authors and channels; returns the bytes written.

    A message is the first part of one of the texts and the last part of another.
    """
    rng = random.Random(seed)
    split = [text.split() for text in texts]
    split = [words for words in split if words]
    written = 0
    with path.open("wb") as file:
        for start in range(0, messages, _BATCH):
            lines = [_line(rng, split, number) for number in range(start, min(start + _BATCH, messages))]
            written += file.write(b"".join(lines))
    return written


def _line(rng: random.Random, split: Sequence[Sequence[str]], number: int) -> bytes:
    one, other = split[int(rng.random() * len(split))], split[int(rng.random() * len(split))]
    words = [*one[: (len(one) + 1) // 2], *other[len(other) // 2 :]]
    entry = {
        "id": str(_FIRST_ID + number * 4096),
        "author": str(1000000000000000 + int(rng.random() ** 3 * 5000)),
        "channel": str(300000000000000001 + number % 7),
        "timestamp": 1507466702 + number,
        "message": " ".join(words),
    }
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
