"""A chat log made of nothing, for machines without a real one: words by Zipf's law, each with favourite followers.

It makes chains of a real log's shape (most words rare, most states with one successor, a few with thousands), not its
figures: published tables are of real text.
"""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import orjson

MESSAGES = 60_000
_WORDS = 40_000
_SYLLABLES = ("ba", "co", "di", "fu", "ga", "hel", "in", "jo", "ka", "lor", "mi", "ne", "or", "pu", "qua", "ri", "sto")
_FOLLOWERS = 6
_FAITHFUL = 0.7  # how often a word is followed by one of its favourites
_ENDS = 0.09  # how often a message ends after a word: 11 words on average
_FIRST_ID = 366566659063808000


def write_text(path: Path, messages: int = MESSAGES, *, seed: int = 1) -> None:
    """Writes JSON lines with IDs, authors and texts; the same ones each time."""
    with path.open("wb") as file:
        for number, text in enumerate(itertools.islice(texts(seed), messages)):
            entry = {"id": str(_FIRST_ID + number * 4096), "author": str(10**15 + number % 500), "message": text}
            file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))


def texts(seed: int) -> Iterator[str]:
    """Messages without end."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) + str(n) * (n > 500) for n in range(_WORDS)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, _WORDS + 1)))
    drawn = iter(())
    favourites: dict[int, list[int]] = {}
    while True:
        message: list[int] = []
        while not message or rng.random() >= _ENDS:
            if message and rng.random() < _FAITHFUL:
                known = favourites.setdefault(message[-1], [])
                if len(known) == _FOLLOWERS:
                    message.append(rng.choice(known))
                    continue
            else:
                known = []
            word = next(drawn, None)
            if word is None:
                drawn = iter(rng.choices(range(_WORDS), cum_weights=weights, k=10_000))
                word = next(drawn)
            known.append(word)
            message.append(word)
        yield " ".join([words[word] for word in message])
