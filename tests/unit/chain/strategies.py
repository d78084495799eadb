"""Messages for property tests: few distinct words, so that states are shared, and words of any kind."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from markov_shard.chain import Image

ODD_WORDS = (
    "Hey",
    "hey",
    "HEY",
    "straße",
    "STRASSE",
    "😀",
    "👩‍👩‍👧‍👦",
    "שלום",
    "مرحبا",
    "e\u0301",
    "é",
    "\u200f",
    "\x7f",
    "None",
    "()",
)


@dataclass(frozen=True)
class Said:
    """A message with an ID."""

    text: str
    id: int | None = None


words = st.one_of(
    st.sampled_from("abc"),
    st.sampled_from(ODD_WORDS),
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=4),
)
texts = st.lists(words, max_size=7).map(" ".join)
ids = st.one_of(st.none(), st.integers(0, 50))
said = st.builds(Said, texts, ids)
sizes = st.integers(1, 5)


def same_but_sources(one: Image, other: Image) -> None:
    """Assert that two images are equal in everything but the remembered sources."""
    assert (one.messages, one.tokens) == (other.messages, other.tokens)
    for name in type(one.tables).__dataclass_fields__:
        if name not in ("source", "source_ids"):
            mine, its = np.asarray(getattr(one.tables, name)), np.asarray(getattr(other.tables, name))
            assert mine.dtype == its.dtype, name
            np.testing.assert_array_equal(mine, its, name)
