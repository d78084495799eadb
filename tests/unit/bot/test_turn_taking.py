"""A resharding divides the events between two sets of shards: each is served by one, whenever it is heard."""

from typing import Any

import pytest

from markov_shard.bot.turn_taking import Kept, Share, share
from markov_shard.ownership.turns import Turns
from markov_shard.snowflakes import first_id_at

OLD, NEW = 16, 32
SWITCH = 1_800_000_000_000
BEFORE = Turns(OLD, NEW)
DECIDED = Turns(OLD, NEW, SWITCH)
AFTER = Turns(NEW, 0, SWITCH)


def made_at(ms: int) -> dict[str, Any]:
    return {"id": str(first_id_at(ms / 1000))}


@pytest.mark.parametrize("name", ["MESSAGE_CREATE", "INTERACTION_CREATE"])
@pytest.mark.parametrize(("at", "server"), [(SWITCH - 1, OLD), (SWITCH, NEW), (SWITCH + 5000, NEW)])
@pytest.mark.parametrize("now", [SWITCH - 10, SWITCH + 10_000])
def test_a_message_is_served_by_one_set_whenever_it_is_heard(name: str, at: int, server: int, now: int) -> None:
    for count in (OLD, NEW):
        served = share(DECIDED, count, name, made_at(at), now) is Share.SERVE
        assert served is (count == server)


def test_a_muted_set_keeps_messages_and_leaves_edits() -> None:
    now = SWITCH - 10
    assert share(BEFORE, NEW, "MESSAGE_CREATE", made_at(now), now) is Share.KEEP
    assert share(BEFORE, NEW, "MESSAGE_DELETE", {"id": "1"}, now) is Share.LEAVE
    assert share(BEFORE, NEW, "CHANNEL_UPDATE", {"id": "1"}, now) is Share.SERVE
    assert share(BEFORE, OLD, "MESSAGE_DELETE", {"id": "1"}, now) is Share.SERVE


def test_the_old_set_leaves_what_came_after_the_switch_for_good() -> None:
    assert share(AFTER, OLD, "MESSAGE_CREATE", made_at(SWITCH + 1), SWITCH + 1) is Share.LEAVE
    assert share(AFTER, OLD, "MESSAGE_CREATE", made_at(SWITCH - 1), SWITCH + 1) is Share.SERVE


def test_what_was_kept_is_taken_once_and_only_what_is_this_sets() -> None:
    kept = Kept(lambda: 0.0)
    kept.add(1, "MESSAGE_CREATE", made_at(SWITCH - 1))
    kept.add(2, "MESSAGE_CREATE", made_at(SWITCH + 1))
    kept.add(3, "INTERACTION_CREATE", made_at(SWITCH + 2))
    assert [event.seq for event in kept.take(DECIDED, NEW)] == [2]
    assert list(kept.take(DECIDED, NEW)) == []


def test_what_was_kept_for_long_is_let_go() -> None:
    now = 0.0
    kept = Kept(lambda: now)
    kept.add(1, "MESSAGE_CREATE", made_at(SWITCH + 1))
    now = 31.0
    kept.add(2, "MESSAGE_CREATE", made_at(SWITCH + 2))
    assert [event.seq for event in kept.take(DECIDED, NEW)] == [2]
