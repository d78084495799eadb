"""Resharding: a new set of shards comes up muted beside the old one, takes over at one instant, and the old one drains.

The plan in Postgres says what is wanted; this says what follows from it. Everything before the switch can be taken
back by setting the target to 0; the switch is one committed change of the plan.
"""

from collections.abc import Sequence
from dataclasses import replace

from markov_shard.shared.members import Member
from markov_shard.store.shard_plan import ShardPlan

NOTICE_MS = 3_000
"""Between the decision to switch and the switch, so that every process, which asks once a second, knows of it."""

OVERLAP_MS = 3_000
"""For how long after the switch the old set stays connected: for what was sent before and arrives late."""


def is_up(target: int, members: Sequence[Member]) -> bool:
    """Whether every shard of the muted set is connected."""
    up = {shard_id for member in members for shard_id in member.details.get("upcoming", ())}
    return len(up & set(range(target))) == target


def decided(plan: ShardPlan, now: int) -> ShardPlan:
    """The plan with the switch committed: from then on the new count is the fleet's, whatever Redis remembers."""
    return replace(plan, shard_count=plan.target, target=0, switch_at=now + NOTICE_MS)


def overlaps(plan: ShardPlan, now: int) -> bool:
    """Whether the set from before the switch is still needed."""
    return bool(plan.switch_at) and now < plan.switch_at + OVERLAP_MS
