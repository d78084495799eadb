"""Merging equals compiling what remains, in everything but the remembered sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markov_shard.chain import Merger, NotLearnedError, compile_chain, merge, open_image
from tests.unit.chain.strategies import Said, ids, said, same_but_sources, sizes, texts

many = st.lists(said, max_size=30)


@given(many, many, sizes, st.randoms(use_true_random=False), st.floats(0, 1))
def test_merge_equals_compiling_what_remains(base, added, state_size, random, share):
    pool = base + added
    removed = random.sample(pool, int(share * len(pool)))
    remaining = list(pool)
    for message in removed:
        remaining.remove(message)
    merged = merge(compile_chain(base, state_size), added, removed)
    same_but_sources(merged, compile_chain(remaining, state_size))
    open_image(bytes(merged)).verify()
    live = {message.id for message in remaining}
    assert {merged.source(transition) for transition in range(merged.transitions)} <= live | {None}


@given(many, st.lists(st.tuples(texts, ids), max_size=4), sizes)
def test_sparse_changes_of_a_larger_image(base, changes, state_size):
    filler = [Said(f"w{number % 97} x{number % 89} y{number % 83}", number + 100) for number in range(300)]
    added = [Said(*change) for change in changes]
    merged = merge(compile_chain(filler + base, state_size), added, base)
    same_but_sources(merged, compile_chain(filler + added, state_size))


def test_counts_around_the_byte_boundary():
    for base, added, removed in ((254, 1, 0), (255, 1, 0), (256, 0, 2), (255, 0, 1), (0, 300, 0), (300, 0, 300)):
        image = compile_chain(["a b"] * base + ["c"], 2)
        same_but_sources(
            merge(image, ["a b"] * added, ["a b"] * removed),
            compile_chain(["a b"] * (base + added - removed) + ["c"], 2),
        )


def test_a_batched_merge_of_located_removals():
    image = compile_chain([Said("one two three", 1), Said("one two four", 2), Said("five", 3)], 2)
    merger = Merger(image)
    merger.add(["six"], [4])
    merger.remove_located([image.locate("one two four")], [2])
    merger.add(["one seven"], [5])
    merged = merger.finish()
    same_but_sources(merged, compile_chain(["one two three", "five", "six", "one seven"], 2))
    assert 2 not in merged.tables.source_ids


def test_a_removed_message_must_be_there():
    image = compile_chain(["one two", "one three"], 2)
    with pytest.raises(NotLearnedError, match="message 7"):
        merge(image, (), [Said("one four", 7)])
    with pytest.raises(NotLearnedError, match="more often"):
        merge(image, (), ["one two", "one two"])
    same_but_sources(merge(image, ["one two"], ["one two", "one two"]), compile_chain(["one three"], 2))


def test_a_path_that_is_not_a_whole_message_is_refused():
    image = compile_chain(["one two"], 2)
    with pytest.raises(NotLearnedError, match="whole message"):
        Merger(image).remove_located([image.locate("one two")[:-1]])


def test_an_edit_forgets_the_old_text_under_the_same_id():
    image = compile_chain([Said("a b", 1), Said("a c", 2)], 2)
    merged = merge(image, [Said("a d", 1)], [Said("a b", 1)])
    same_but_sources(merged, compile_chain(["a c", "a d"], 2))
    assert {merged.source(transition) for transition in range(merged.transitions)} <= {1, 2, None}


def test_added_messages_take_over_as_sources_in_proportion():
    image = compile_chain([Said("a", 1)] * 3, 1)
    taken = sum(merge(image, [Said("a", 2)], seed=seed).source(0) == 2 for seed in range(2000))
    assert 400 < taken < 600  # a quarter of 2,000, within 5 standard deviations


def test_places_of_wiped_ids_are_numbered_anew_in_the_end():
    base = [Said(f"w{number}", number) for number in range(400)]
    image = compile_chain(base, 2)
    for start in range(0, 390, 30):
        image = merge(image, (), base[start : start + 30])
        assert len(image.tables.source_ids) <= 2 * image.messages
        assert [image.source(image.locate(said)[0]) for said in base[start + 30 :]] == list(range(start + 30, 400))
