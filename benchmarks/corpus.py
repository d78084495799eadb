"""A chat log made longer: real text resampled, with a vocabulary that keeps growing."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice

RARE = 5


def grown(messages: list[str], seed: int = 1) -> Iterator[str]:
    """The messages, and then without end new ones made of them.

    A new message is the beginning of one and the end of another, cut at random places, so that new transitions
    keep coming. Words that the log has at most RARE times are renamed in each round of as many messages as it has, so
    that the vocabulary grows with the text, faster than that of real text does.
    """
    yield from messages
    rng = random.Random(seed)
    split = [words for message in messages if (words := message.split())]
    counts = Counter(word for words in split for word in words)
    rare = {word for word, times in counts.items() if times <= RARE}
    generation = 0
    while True:
        generation += 1
        mark = f"~{generation}"
        for _ in range(len(messages)):
            head, tail = rng.choice(split), rng.choice(split)
            cut = int(rng.random() * (len(head) + 1))
            words = head[:cut] + tail[int(rng.random() * len(tail)) :]
            yield " ".join([word + mark if word in rare else word for word in words])


def batches(messages: Iterator[str], number: int, size: int = 16_384) -> Iterator[list[str]]:
    """The next `number` messages, some at a time."""
    rest = islice(messages, number)
    while batch := list(islice(rest, size)):
        yield batch
