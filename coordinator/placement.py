"""Which process is to own which range: contiguous, balanced within one shard, moving as little as possible."""

from collections.abc import Mapping, Sequence
from functools import cache

from markov_shard.ranges import GuildRange


def place(shard_count: int, processes: Sequence[str], current: Mapping[str, GuildRange]) -> dict[str, GuildRange]:
    """Gives every shard to one process; with more processes than shards, some get none.

    Processes keep their present order along the shards, newcomers are put where fewest shards move, and the
    larger ranges go to those that keep most by it. `current` may name processes that are gone.
    """
    known = sorted(
        (name for name in processes if name in current and current[name].shard_count == shard_count),
        key=lambda name: current[name],
    )[:shard_count]
    newcomers = sorted(set(processes) - set(known))
    order = known or newcomers[:shard_count]
    for newcomer in newcomers if known else ():
        if len(order) == shard_count:
            break
        candidates = [[*order[:place], newcomer, *order[place:]] for place in range(len(order) + 1)]
        order = max(reversed(candidates), key=lambda names: _kept(shard_count, names, current)[0])
    if not order:
        return {}
    sizes = _kept(shard_count, order, current)[1]
    ranges, first = {}, 0
    for name, size in zip(order, sizes, strict=True):
        ranges[name] = GuildRange(first, first + size - 1, shard_count)
        first += size
    return ranges


def _kept(shard_count: int, order: Sequence[str], current: Mapping[str, GuildRange]) -> tuple[int, tuple[int, ...]]:
    """The most shards that can stay where they are with processes in this order, and the sizes that do it."""
    if not order:
        return 0, ()
    size, larger = divmod(shard_count, len(order))

    @cache
    def best(number: int, given: int) -> tuple[int, tuple[int, ...]]:
        """For the processes from `number` on, when `given` larger ranges went to those before."""
        if number == len(order):
            return 0, ()
        options = []
        for extra in (1, 0):
            left = larger - given - extra
            if 0 <= left <= len(order) - number - 1:
                first = number * size + given
                stays = _overlap(current.get(order[number]), first, first + size + extra - 1)
                kept, sizes = best(number + 1, given + extra)
                options.append((kept + stays, (size + extra, *sizes)))
        return max(options)

    return best(0, 0)


def _overlap(part: GuildRange | None, first: int, last: int) -> int:
    return max(0, min(part.last, last) - max(part.first, first) + 1) if part else 0
