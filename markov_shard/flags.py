"""Rollout flags: which optimizations are on for which guilds.

A guild's place is a stable hash of its ID, in hundredths of a percent, and the same for every flag: raising a
percentage only ever adds guilds, and the guilds that try one optimization are those that try the next.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal, get_args

from markov_shard.settings import Settings

Flag = Literal["markov_store", "worker_pool", "batch_optimization", "performance_monitoring"]
FLAGS: tuple[Flag, ...] = get_args(Flag)

WHOLE = 10_000
"""All guilds, in hundredths of a percent."""


@dataclass(frozen=True)
class Rollout:
    """How far a flag is rolled out: to `hundredths` of a percent of guilds, and to the forced ones anyway."""

    hundredths: int
    forced: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not 0 <= self.hundredths <= WHOLE:
            raise ValueError(f"{self.hundredths} hundredths of a percent: 0 to {WHOLE} are possible")

    def includes(self, guild_id: int) -> bool:
        """Whether the flag is on for the guild."""
        return self.hundredths == WHOLE or place_of(guild_id) < self.hundredths or guild_id in self.forced

    @property
    def percentage(self) -> Decimal:
        """With two decimal places."""
        return Decimal(self.hundredths).scaleb(-2)


Rollouts = Mapping[Flag, Rollout]


@lru_cache(maxsize=1 << 16)
def place_of(guild_id: int) -> int:
    """Where a guild stands in every rollout: 0 to 9,999; it is in from the next hundredth of a percent on."""
    digest = hashlib.blake2b(guild_id.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % WHOLE


def hundredths_of(percentage: Decimal) -> int:
    """A percentage of at most two decimal places in hundredths."""
    return int(percentage.scaleb(2))


def first_rollouts(settings: Settings) -> Rollouts:
    """The flags before anybody changed them. What is measured is measured everywhere, so that guilds compare."""
    share = Rollout(
        hundredths_of(settings.optimization_rollout_percentage), frozenset(settings.optimization_force_guild_ids)
    )
    nobody = Rollout(0)
    return {
        "markov_store": share if settings.enable_markov_store else nobody,
        "worker_pool": share if settings.enable_worker_pool else nobody,
        "batch_optimization": share if settings.enable_batch_optimization else nobody,
        "performance_monitoring": Rollout(WHOLE) if settings.enable_performance_monitoring else nobody,
    }
