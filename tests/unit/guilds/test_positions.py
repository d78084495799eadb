"""The position never runs ahead of what is stored."""

from hypothesis import given
from hypothesis import strategies as st

from markov_shard.guilds.positions import Position


def test_open_work_holds_the_position_back() -> None:
    position = Position()
    position.seen(4)
    mark = position.open(5)
    position.seen(6)
    assert position.safe == 4
    position.close(mark)
    assert position.safe == 6


def test_work_closed_out_of_order() -> None:
    position = Position(10)
    first, second = position.open(11), position.open(12)
    position.close(second)
    assert position.safe == 10
    position.close(first)
    assert position.safe == 12


def test_a_new_session_has_no_position_until_the_old_ones_work_is_done() -> None:
    position = Position(1000)
    old = position.open(1001)
    position.new_session()
    position.seen(1)
    new = position.open(2)
    assert position.safe is None
    position.close(old)
    assert position.safe == 1
    position.close(new)
    assert position.safe == 2


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.randoms())
def test_safe_is_exactly_below_the_first_event_that_is_not_stored(works: list[bool], random: object) -> None:
    position = Position()
    marks = {}
    for seq, works_on in enumerate(works, start=1):
        if works_on:
            marks[seq] = position.open(seq)
        else:
            position.seen(seq)
    order = list(marks)
    random.shuffle(order)  # type: ignore[attr-defined]
    for seq in order:
        assert position.safe == min(marks) - 1
        position.close(marks.pop(seq))
    assert position.safe == len(works)
