"""From event to reply, across tasks."""

import asyncio

import pytest
from structlog.testing import capture_logs

from markov_shard.bot import slow_replies
from markov_shard.bot.slow_replies import SlowReplies
from markov_shard.bot.timing import Replied, ReplyClock, Stage, left_out, note, owe_reply, replying, waited
from markov_shard.logs import get_logger


class Now:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


async def test_a_reply_is_timed_from_its_own_event_in_whatever_task() -> None:
    now, seen = Now(), list[Replied]()
    clock = ReplyClock(seen.append, now)
    gate = asyncio.Event()

    async def handle() -> None:
        await gate.wait()
        note({"wait": waited(), "choose": 0.25})
        replying()
        replying()  # a second message of the same answer

    clock.arrived("1")
    first = asyncio.create_task(handle())
    now.at = 3.0
    clock.arrived("2")
    second = asyncio.create_task(handle())
    now.at = 4.0
    gate.set()
    await asyncio.gather(first, second)
    assert seen == [
        Replied("1", 4.0, {"wait": 4.0, "choose": 0.25}),
        Replied("2", 1.0, {"wait": 1.0, "choose": 0.25}),
    ]
    assert clock.replies == 2


def test_a_reply_to_nothing_is_not_timed() -> None:
    replying()
    owe_reply()
    assert waited() == 0.0


def test_a_reply_is_under_way_for_a_moment_after_it_became_owed() -> None:
    now = Now()
    now.at = 50.0
    clock = ReplyClock(clock=now)
    clock.arrived("1")
    assert not clock.is_answering  # most events are not replied to
    owe_reply()
    assert clock.is_answering
    now.at = 50.2
    assert not clock.is_answering


def _fail_at(now: Now, at: float) -> None:
    now.at = at
    raise ConnectionError


def test_what_an_attachment_takes_is_told_and_left_out_even_where_it_fails() -> None:
    now, seen, told = Now(), list[Replied](), list[tuple[Stage, float]]()

    def observe(stage: Stage, seconds: float) -> None:
        told.append((stage, seconds))

    ReplyClock(seen.append, now).arrived()
    now.at = 1.0
    with left_out("url", observe, now):
        now.at = 3.0
    with pytest.raises(ConnectionError), left_out("file", observe, now):
        _fail_at(now, 7.0)
    now.at = 7.5
    replying()
    assert told == [("url", 2.0), ("file", 4.0)]
    assert seen == [Replied(None, 1.5, {"url": 2.0, "file": 4.0})]


@pytest.fixture
def _fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that no earlier test of this run has tied to its set-up, as a process's first line does."""
    monkeypatch.setattr(slow_replies, "_log", get_logger("slow replies"))


@pytest.mark.usefixtures("_fresh_log")
def test_slow_replies_are_logged_with_their_stages_but_at_most_once_a_second() -> None:
    now = Now()
    slow = SlowReplies(0.05, is_monitored=lambda guild_id: guild_id != 3, clock=now)
    stages: dict[Stage, float] = {"wait": 0.01, "open": 0.0, "choose": 0.0412}
    with capture_logs() as lines:
        slow.consider(Replied("1", 0.049, stages))
        slow.consider(Replied("3", 0.5, stages))
        slow.consider(Replied(None, 0.5, stages))
        assert not lines
        for at in (0.0, 0.5, 0.9, 1.0):
            now.at = at
            slow.consider(Replied("1", 0.0512, stages))
    line = {"event": "a reply was slow", "log_level": "warning", "guild": "1", "ms": 51.2}
    line |= {"wait_ms": 10.0, "open_ms": 0.0, "choose_ms": 41.2}
    assert lines == [line, line | {"unsaid": 2}]


@pytest.mark.usefixtures("_fresh_log")
def test_zero_milliseconds_turn_the_log_of_slow_replies_off() -> None:
    with capture_logs() as lines:
        SlowReplies(0.0, is_monitored=lambda guild_id: True).consider(Replied("1", 100.0, {}))
    assert not lines
