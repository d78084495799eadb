"""One shard as this process has it, and what the process needs to know of its right to it."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from markov_shard.bot.gateway import FleetShard, ResumePoint
from markov_shard.bot.intake import Intake
from markov_shard.bot.turn_taking import Kept
from markov_shard.guilds.owner import Owner
from markov_shard.ownership.runner import ShardHealth, ShardState
from markov_shard.shared.leases import ShardKey


class Tenure(Protocol):
    """What the ownership agent knows of this process's right to serve."""

    def is_sure_of(self, shard: ShardKey) -> bool:
        """Whether no other process can serve the shard now."""

    def may_connect(self, shard: ShardKey) -> bool:
        """Whether a connection may be opened for it."""


class Unquestioned:
    """For a bot without an agent, as in tests."""

    def is_sure_of(self, shard: ShardKey) -> bool:
        return True

    def may_connect(self, shard: ShardKey) -> bool:
        return True


@dataclass(eq=False)
class Hosted:
    """A shard's ownership, its events' way in and, once there is one, its connection."""

    owner: Owner
    intake: Intake
    shard: FleetShard | None = None
    saved: ResumePoint | None = None
    """Where its next owner would resume, as Redis was told last."""
    stale: bool = False
    """An event came when another process might have served the shard already: nothing more is taken from it."""
    kept: Kept = field(default_factory=Kept)

    @property
    def health(self) -> ShardHealth:
        """What is known of the connection now."""
        shard = self.shard
        if shard is None:
            return ShardHealth(state="connecting")
        failure = shard.failure
        state: ShardState = "failed" if failure else "connected" if shard.is_connected else "connecting"
        return ShardHealth(
            state="stale" if self.stale else state,
            latency=_known(shard.heartbeat_latency),
            last_event_age=time.monotonic() - shard.last_event_at,
            last_ack_age=_known(shard.last_ack_age),
            resumes=shard.resumes,
            identifies=shard.identifies,
            error=str(failure) if failure else None,
        )

    @property
    def counts(self) -> Counter[str]:
        """What the connection has counted so far."""
        shard = self.shard
        if shard is None:
            return Counter()
        return Counter(resumes=shard.resumes, identifies=shard.identifies, zombies=shard.zombies)

    @property
    def stored_point(self) -> ResumePoint | None:
        """Where to resume so that nothing is missed: as far as events are stored; None without a session."""
        point, safe = self.shard.resume_point if self.shard else None, self.owner.position.safe
        return ResumePoint(point.session_id, safe, point.resume_url, point.user_id) if point and safe else None


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds
