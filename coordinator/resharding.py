"""Resharding: a new set of shards comes up muted beside the old one, takes over at one instant, and the old one drains.

The plan in Postgres says what is wanted; this says what follows from it. Everything before the switch can be taken
back by setting the target to 0; the switch is one committed change of the plan.
"""

from collections.abc import Sequence
from dataclasses import replace

from markov_shard.errors import MarkovShardError
from markov_shard.shared.identify import Budget
from markov_shard.shared.members import Member
from markov_shard.store.shard_plan import ShardPlan

NOTICE_MS = 3_000
"""Between the decision to switch and the switch, so that every process, which asks once a second, knows of it."""

OVERLAP_MS = 3_000
"""For how long after the switch the old set stays connected: for what was sent before and arrives late."""


GUILDS_PER_SHARD = 2_500
"""More on one shard, and Discord closes it with 4011."""

SUGGESTED_AT = 0.8
"""Of that limit, on average over the shards: guilds are not spread evenly, and a resharding takes its time."""


class ReshardingError(MarkovShardError):
    """A resharding cannot begin, or cannot be taken back; says why."""


def begun(plan: ShardPlan, target: int, *, guilds: int, budget: Budget | None, now: int) -> ShardPlan:
    """The plan with a resharding to `target` under way. Raises ReshardingError.

    `guilds`: those of the bot; `budget`: the day's IDENTIFYs, of which each new shard takes one; `now` in milliseconds
    since 1970.
    """
    if not plan.shard_count:
        raise ReshardingError("the fleet has not been placed yet: set SHARD_COUNT before its first start instead")
    if plan.target:
        raise ReshardingError(f"a resharding to {plan.target} is under way: --abort takes it back")
    if overlaps(plan, now):
        raise ReshardingError("the last resharding is just ending: try again in a few seconds")
    if target == plan.shard_count:
        raise ReshardingError(f"the bot has {target} shards already")
    if guilds > target * GUILDS_PER_SHARD:
        least = -(-guilds // GUILDS_PER_SHARD)
        raise ReshardingError(f"{guilds} guilds need {least} shards at least: Discord allows {GUILDS_PER_SHARD} on one")
    if budget and target > budget.remaining - budget.reserve:
        hours = budget.reset_after_ms / 3_600_000
        raise ReshardingError(
            f"{target} shards need as many IDENTIFYs, and {max(0, budget.remaining - budget.reserve)} may be used today"
            f" ({budget.reserve} more are kept for lost sessions); new ones come in {hours:.1f} h"
        )
    # The time of an earlier switch would let the new set serve at once.
    return replace(plan, target=target, switch_at=0)


def taken_back(plan: ShardPlan, now: int) -> ShardPlan:
    """The plan without the resharding under way. Raises ReshardingError after the switch."""
    if plan.target:
        return replace(plan, target=0)
    if overlaps(plan, now):
        raise ReshardingError(f"too late: {plan.shard_count} shards take over now; reshard again to go back")
    raise ReshardingError("no resharding is under way")


def suggested(guilds: int, shard_count: int) -> int | None:
    """How many shards to reshard to when guilds a shard pass 80% of Discord's limit; None while they do not."""
    if not shard_count or guilds <= SUGGESTED_AT * GUILDS_PER_SHARD * shard_count:
        return None
    target = shard_count
    while guilds > SUGGESTED_AT / 2 * GUILDS_PER_SHARD * target:
        target *= 2
    return target


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
