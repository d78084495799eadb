"""The least that a placement could have moved, by trying all of them."""

from collections.abc import Mapping
from functools import cache
from itertools import permutations

from markov_shard.ranges import GuildRange

MOST_TRIED = 5
"""Processes up to which all orders are tried."""


def moved(before: Mapping[str, GuildRange], after: Mapping[str, GuildRange]) -> int:
    """Shards whose owner changed, of those that had one."""
    owner = {shard: name for name, part in before.items() for shard in part.shard_ids}
    return sum(owner.get(shard, name) != name for name, part in after.items() for shard in part.shard_ids)


def least_moved(shard_count: int, capacities: Mapping[str, int], before: Mapping[str, GuildRange]) -> int:
    """Over all orders of the processes, and all ways to round their shares up or down."""
    total = sum(capacities.values())
    shares = {name: shard_count * capacity // total for name, capacity in capacities.items()}
    owned = sum(len(part) for part in before.values())
    larger = shard_count - sum(shares.values())
    most = 0
    for order in permutations(capacities):

        @cache
        def kept(number: int, first: int, left: int, order: tuple[str, ...] = order) -> int:
            if number == len(order):
                return 0 if left == 0 else -shard_count
            best = -shard_count
            for extra in (0, 1) if left else (0,):
                size = shares[order[number]] + extra
                part = before.get(order[number])
                stays = max(0, min(part.last, first + size - 1) - max(part.first, first) + 1) if part else 0
                best = max(best, stays + kept(number + 1, first + size, left - extra))
            return best

        most = max(most, kept(0, 0, larger))
    return owned - most
