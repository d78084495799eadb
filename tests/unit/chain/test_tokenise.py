"""Numbering words: str.split() and a dict say what must come out."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markov_shard.chain import MessageError
from markov_shard.chain.shortwords import ShortWords
from markov_shard.chain.tokenise import Tokeniser
from tests.unit.chain.strategies import texts, words

long_words = st.integers(0, 40).flatmap(
    lambda size: st.sampled_from(("x" * size, "é" * size, "😀" * size, "ab" * size))
)
batches = st.lists(st.lists(st.one_of(texts, st.lists(long_words | words, max_size=5).map("\u2003".join))), max_size=4)


def numbered(tokeniser, batch):
    """The batch's messages as lists of words, by the numbers they got."""
    stream, ids = tokeniser.encode(batch)
    messages = [[]]
    for number in stream.tolist():
        if number:
            messages[-1].append(tokeniser.words[number - 1].decode())
        else:
            messages.append([])
    assert len(ids) == len(messages) - 1
    return messages[:-1]


@given(batches)
def test_words_are_those_of_split(batches):
    tokeniser = Tokeniser()
    for batch in batches:
        assert numbered(tokeniser, batch) == [text.split() for text in batch if text.split()]
    assert len(set(tokeniser.words)) == len(tokeniser.words)


def test_every_character_is_a_space_or_is_none():
    characters = [chr(code) for code in range(1, sys.maxunicode + 1) if code < 0x4000 or chr(code).isspace()]
    text = "".join(f"a{character}b\n" for character in characters)
    assert numbered(Tokeniser(), [text]) == [text.split()]


def test_words_that_begin_alike_are_told_apart():
    alike = ["x" * length for length in range(1, 40)]
    assert numbered(Tokeniser(), [" ".join(alike * 2)]) == [alike * 2]


@pytest.mark.parametrize("bad", ["a\0b", "\0", "\ud800", "fine \udfff"])
def test_a_refused_batch_numbers_nothing(bad):
    tokeniser = Tokeniser()
    tokeniser.encode(["one"])
    with pytest.raises(MessageError, match="message 1 of the batch"):
        tokeniser.encode(["two", bad])
    assert tokeniser.words == [b"one"]


@pytest.mark.parametrize("salt", [0, 1 << 63, (1 << 128) - 1])
@pytest.mark.parametrize("cells", [1, 2])
def test_a_table_finds_what_it_took_in_however_badly_it_mixes(cells, salt):
    table = ShortWords(cells, salt)
    rng = np.random.default_rng(1)
    keys = np.unique(rng.integers(1, 1 << 12, (cells, 3000), dtype=np.uint64), axis=1)  # with no salt, all in one place
    taken, others = keys[:, ::2], keys[:, 1::2]
    numbers = np.arange(1, taken.shape[1] + 1, dtype=np.uint32)
    for start in range(0, len(numbers), 300):
        table.put(taken[:, start : start + 300], numbers[start : start + 300])
    found, absent = table.find(taken)
    assert found.tolist() == numbers.tolist()
    assert not len(absent)
    found, absent = table.find(others)
    assert sorted(absent.tolist()) == list(range(others.shape[1]))
    assert table.find(np.zeros((cells, 2), np.uint64))[0].tolist() == [0, 0]
