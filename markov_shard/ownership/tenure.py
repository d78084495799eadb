"""Whether a process may still serve a shard: judged by its own monotonic clock, and while Redis is away by Postgres."""

import asyncio
import enum
from dataclasses import dataclass

from markov_shard.ownership.runner import OwnedShard

CONFIRMED_SECONDS = 2.5
"""For how long the answer of Postgres that an epoch is still the latest is believed: the question is put each second.
After a partition this is the longest time for which two processes can both think that they serve a shard."""


class Ruling(enum.Enum):
    """What is to become of a shard whose lease could not be renewed in time."""

    KEEP = enum.auto()
    DRAIN = enum.auto()
    DROP = enum.auto()


@dataclass(eq=False)
class Held:
    """A shard whose lease is ours. Times by our own clock, counted from before the question was sent."""

    shard: OwnedShard
    lease_until: float
    confirmed_until: float = float("-inf")
    starting: asyncio.Task[None] | None = None
    leaving: asyncio.Task[None] | None = None

    def is_sure(self, now: float) -> bool:
        """Whether nobody else can serve the shard now: what a paused process asks before it answers anybody."""
        return now < max(self.lease_until, self.confirmed_until)


def rule(*, away_seconds: float, grace: float, epoch: int | None, ours: int) -> tuple[Ruling, str]:
    """The grace rule: a lease ran out because Redis does not answer; says what to do, and why.

    `epoch`: the latest in Postgres, None when it cannot be asked either. A superseded holder drops everything; so
    does one that can ask nobody, since its writes would fail anyway and another may answer by now.
    """
    if epoch is None:
        return Ruling.DROP, "neither Redis nor Postgres can be asked who owns it"
    if epoch != ours:
        return Ruling.DROP, "another process has a newer epoch"
    if away_seconds > grace:
        return Ruling.DRAIN, "Redis was away for longer than the grace"
    return Ruling.KEEP, "Redis is away and nobody has a newer epoch"
