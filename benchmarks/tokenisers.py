"""Other ways of splitting text and numbering its words, beside the engine's: what they cost in time and in memory.

`python -m benchmarks.tokenisers CORPUS` measures those whose packages are installed (`pip install numba polars
pyarrow`), each in a fresh process: importing, the first call (numba compiles then), the best of five, and the
memory that importing and the first call take. All number the same words the same number of times.
"""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Setup
from benchmarks.timing import best, timed
from benchmarks.train_memory import _peak_mb as peak_mb

Kernel = Callable[[list[str]], tuple[Any, int]]
"""Messages to the numbers of their words and of the messages' ends, and how many different words there are."""

BATCH = 16_384
PACKAGES = {"engine": "numpy", "dict": "numpy", "pyarrow": "pyarrow", "polars": "polars", "numba": "numba"}
_WIDE_SPACE = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


def engine() -> Kernel:
    """Short words as integers in arrays, long ones by a dict."""
    from markov_shard.chain.tokenise import Tokeniser

    def kernel(messages: list[str]) -> tuple[Any, int]:
        tokeniser = Tokeniser()
        streams = [tokeniser.encode(messages[start : start + BATCH])[0] for start in range(0, len(messages), BATCH)]
        return np.concatenate(streams), len(tokeniser.words)

    return kernel


def by_dict() -> Kernel:
    """str.split and a dict."""
    from collections import defaultdict
    from itertools import count

    def kernel(messages: list[str]) -> tuple[Any, int]:
        numbers: defaultdict[str, int] = defaultdict(count().__next__)
        streams = []
        for start in range(0, len(messages), 64):
            words = " \0 ".join([*messages[start : start + 64], ""]).split()
            streams.append(np.fromiter(map(numbers.__getitem__, words), np.uint32, len(words)))
        return np.concatenate(streams), len(numbers) - 1

    return kernel


def pyarrow() -> Kernel:
    """Its splitting and its dictionary encoding."""
    import pyarrow as pa
    from pyarrow import compute

    def kernel(messages: list[str]) -> tuple[Any, int]:
        words = compute.utf8_split_whitespace(pa.array([f"{text} \0" for text in messages])).flatten()
        encoded = compute.dictionary_encode(words.filter(compute.not_equal(words, "")))
        return encoded.indices.to_numpy(), len(encoded.dictionary) - 1

    return kernel


def polars() -> Kernel:
    """Its splitting at single spaces, after one regular expression for all others, and its categories."""
    import polars as pl

    def kernel(messages: list[str]) -> tuple[Any, int]:
        text = pl.Series([f"{text} \0" for text in messages])
        spaced = text.str.replace_all(r"[\s\x1c-\x1f]+", " ").str.split(" ").explode()
        words = spaced.filter(spaced != "")
        numbers = words.cast(pl.Categorical).to_physical()
        return numbers.to_numpy(), numbers.n_unique() - 1

    return kernel


def numba() -> Kernel:
    """One loop over the bytes, with a hash table of its own."""
    from numba import njit

    @njit(cache=False)
    def loop(data: Any, table: Any, starts: Any, lengths: Any, out: Any) -> tuple[int, int]:
        mask, words, tokens, place = len(table) - 1, 0, 0, 0
        while place < len(data):
            letter = data[place]
            if 9 <= letter <= 13 or 28 <= letter <= 32:
                place += 1
                continue
            start, mixed = place, np.uint64(14695981039346656037)
            while not (9 <= data[place] <= 13 or 28 <= data[place] <= 32):
                mixed = (mixed ^ np.uint64(data[place])) * np.uint64(1099511628211)
                place += 1
            slot = np.int64(mixed >> np.uint64(32)) & mask
            while True:
                known = table[slot]
                if known < 0:
                    table[slot], starts[words], lengths[words] = words, start, place - start
                    known = words
                    words += 1
                elif lengths[known] != place - start:
                    slot = (slot + 1) & mask
                    continue
                same = True
                for offset in range(place - start):
                    if data[starts[known] + offset] != data[start + offset]:
                        same = False
                        break
                if same:
                    out[tokens] = known
                    tokens += 1
                    break
                slot = (slot + 1) & mask
        return tokens, words

    def kernel(messages: list[str]) -> tuple[Any, int]:
        plain = [text if text.isascii() else _WIDE_SPACE.sub(" ", text) for text in messages]
        data = np.frombuffer(" \0 ".join([*plain, ""]).encode(), np.uint8)
        table, out = np.full(1 << 20, -1, np.int32), np.empty(len(data) // 2 + 1, np.uint32)
        starts, lengths = np.empty(1 << 19, np.int64), np.empty(1 << 19, np.int32)
        tokens, words = loop(data, table, starts, lengths, out)
        return out[:tokens], words - 1

    return kernel


KERNELS = {"engine": engine, "dict": by_dict, "pyarrow": pyarrow, "polars": polars, "numba": numba}


def _measured(name: str, corpus: Path) -> str:
    messages = list(Setup(corpus, peers=False).messages())
    words = sum(len(message.split()) + 1 for message in messages)
    before = peak_mb()
    importing, kernel = timed(KERNELS[name])
    imported = peak_mb()
    first, (numbers, different) = timed(lambda: kernel(messages))
    peak = peak_mb()
    assert len(numbers) == words, (len(numbers), words)
    seconds = best(lambda: kernel(messages), 5)
    return (
        f"| {name} | {importing:.2f} s | {imported - before:.0f} MB | {first:.3f} s | {peak - imported:.0f} MB "
        f"| {seconds:.3f} s | {different:,} |"
    )


def main(corpus: str, *names: str) -> None:
    """Prints a row a kernel, each from a process of its own."""
    if len(names) == 1:
        print(_measured(names[0], Path(corpus)))
        return
    print("| | import | its memory | first call | its memory | best of 5 | words |\n|---|---|---|---|---|---|---|")
    for name, package in PACKAGES.items():
        if importlib.util.find_spec(package):
            subprocess.run([sys.executable, "-m", "benchmarks.tokenisers", corpus, name], check=True, timeout=300)


if __name__ == "__main__":
    main(*sys.argv[1:])
