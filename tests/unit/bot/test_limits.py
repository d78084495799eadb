"""How often a member, and a channel, may have the bot talk."""

from markov_shard.bot.limits import Cooldowns


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_everything_is_allowed() -> None:
    limits = Cooldowns()
    assert [limits.take(1, 2) for _ in range(3)] == [0, 0, 0]


def test_a_member_waits_in_each_channel_apart() -> None:
    clock = Clock()
    limits = Cooldowns(member=10, clock=clock)
    assert limits.take(1, 2) == 0
    clock.now += 4
    assert limits.take(1, 2) == 6
    assert limits.take(1, 3) == 0
    assert limits.take(9, 2) == 0
    clock.now += 6
    assert limits.take(1, 2) == 0


def test_in_a_channel_everybody_waits() -> None:
    clock = Clock()
    limits = Cooldowns(channel=5, clock=clock)
    assert limits.take(1, 2) == 0
    assert limits.take(9, 2) == 5
    assert limits.take(9, 3) == 0
    clock.now += 5
    assert limits.take(9, 2) == 0


def test_who_is_refused_does_not_wait_longer() -> None:
    clock = Clock()
    limits = Cooldowns(member=10, clock=clock)
    limits.take(1, 2)
    for _ in range(9):
        clock.now += 1
        assert limits.take(1, 2) > 0
    clock.now += 1
    assert limits.take(1, 2) == 0
