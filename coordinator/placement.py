"""Which process is to own which range: contiguous, sized by capacity, moving as little as possible."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from markov_shard.ranges import GuildRange

_MOST_TRIED = 16


def place(
    shard_count: int,
    processes: Sequence[str],
    current: Mapping[str, GuildRange],
    capacities: Mapping[str, int] | None = None,
) -> dict[str, GuildRange]:
    """Gives every shard to one process. With more processes than shards, some get none.

    Each process's size is its share by capacity (1 where `capacities` does not say), rounded down or up; with equal
    capacities sizes differ by one at most. Processes keep their present order along the shards. Where newcomers go
    and which sizes are rounded up is what keeps the most shards where they are, over all such placements; in fleets of
    few, one process may also be put elsewhere.
    `current` may name processes that are gone.
    """
    capacities = capacities or {}
    weighed = tuple((name, max(1, capacities.get(name, 1))) for name in sorted(processes))
    return dict(_place(shard_count, weighed, tuple(sorted(current.items()))))


@lru_cache(maxsize=16)  # the leader asks each second, and mostly nothing has changed
def _place(
    shard_count: int, processes: tuple[tuple[str, int], ...], owned: tuple[tuple[str, GuildRange], ...]
) -> Mapping[str, GuildRange]:
    current, weights = dict(owned), dict(processes)
    known = sorted(
        (name for name in weights if name in current and current[name].shard_count == shard_count),
        key=lambda name: current[name],
    )[:shard_count]
    newcomers = sorted(weights.keys() - set(known))[: shard_count - len(known)]
    if not known and not newcomers:
        return {}
    sizes = _shares(shard_count, {name: weights[name] for name in (*known, *newcomers)})
    order, kept = _order(shard_count, known, newcomers, sizes, current)
    if len(sizes) <= _MOST_TRIED:
        # Where a process of another size left or joins, putting one elsewhere may spare the others a shift.
        for name in known:
            others = [other for other in known if other != name]
            tried, stays = _order(shard_count, others, sorted([*newcomers, name]), sizes, current)
            if stays > kept:
                order, kept = tried, stays
    ranges, first = {}, 0
    for name, rounded_up in order:
        size = sizes[name] + rounded_up
        if size:
            ranges[name] = GuildRange(first, first + size - 1, shard_count)
        first += size
    return ranges


def _shares(shard_count: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Each one's share rounded down, so that fewer shards than processes are left over."""
    total = sum(weights.values())
    return {name: shard_count * weight // total for name, weight in weights.items()}


def _order(
    shard_count: int,
    known: Sequence[str],
    newcomers: Sequence[str],
    sizes: Mapping[str, int],
    current: Mapping[str, GuildRange],
) -> tuple[list[tuple[str, int]], int]:
    """The processes along the shards, each with 1 where its size is rounded up; and how many shards stay.

    Dynamic programming over how many known processes, newcomers and rounded-up sizes lie before a boundary: these
    three numbers say where the boundary is, so the best way to reach it is independent of what follows.
    """
    larger = shard_count - sum(sizes[name] for name in (*known, *newcomers))
    before_known = _sums([sizes[name] for name in known])
    before_new = _sums([sizes[name] for name in newcomers])
    total = len(known) + len(newcomers)
    # kept[j][e]: most shards that stay, with the present number of known placed, j newcomers and e rounded up.
    # Ties are decided the same way every time: a newcomer late, a larger range early.
    came: list[list[list[tuple[int, int] | None]]] = []
    above: list[list[int]] = []
    for i in range(len(known) + 1):
        row: list[list[int]] = [[-1] * (larger + 1) for _ in range(len(newcomers) + 1)]
        steps: list[list[tuple[int, int] | None]] = [[None] * (larger + 1) for _ in range(len(newcomers) + 1)]
        part = current[known[i - 1]] if i else None
        for j in range(len(newcomers) + 1):
            start = before_known[i] + before_new[j]
            for e in range(max(0, larger - (total - i - j)), min(larger, i + j) + 1):
                if i == j == 0:
                    row[0][0] = 0
                    continue
                best, how = -1, None
                for extra in (0, 1):
                    if extra > e:
                        continue
                    if j and row[j - 1][e - extra] > best:
                        best, how = row[j - 1][e - extra], (1, extra)
                    if part is not None and above[j][e - extra] >= 0:
                        first = start - sizes[known[i - 1]] + e - extra
                        stays = min(part.last, start + e - 1) - max(part.first, first) + 1
                        value = above[j][e - extra] + max(0, stays)
                        if value >= best:
                            best, how = value, (0, extra)
                row[j][e], steps[j][e] = best, how
        above = row
        came.append(steps)
    i, j, e = len(known), len(newcomers), larger
    most = above[j][e]
    order: list[tuple[str, int]] = []
    while i or j:
        step = came[i][j][e]
        assert step is not None
        new, extra = step
        order.append((newcomers[j - 1] if new else known[i - 1], extra))
        i, j, e = (i, j - 1, e - extra) if new else (i - 1, j, e - extra)
    return order[::-1], most


def _sums(values: Sequence[int]) -> list[int]:
    """The sum of the first n values, for each n."""
    sums = [0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums
