"""Lone surrogates in JSON files, wherever a read may cut them."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st

from markov_shard.training.surrogates import PairedReader

PIECES = ["\\", "\\\\", "u", "d83d", "\ud83d", "\ude00", "\U0001f600", "\u00e9", "\0", "a", '"', "d8", "\n"]


def whole(text: str) -> str:
    """With NUL in the place of each half of a pair."""
    return "".join("\0" if "\ud800" <= piece <= "\udfff" else piece for piece in text)


@given(pieces=st.lists(st.sampled_from(PIECES)), size=st.integers(1, 14))
def test_halves_of_pairs_are_marked_and_nothing_else_is_touched(pieces: list[str], size: int) -> None:
    value = json.loads(json.dumps("".join(pieces)))  # two halves that meet are a pair
    reader = PairedReader(io.BufferedReader(io.BytesIO(json.dumps(value).encode())))
    read = b"".join(iter(lambda: reader.read(size), b""))
    assert json.loads(read) == whole(value)
