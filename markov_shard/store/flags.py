"""Rollout flags and the history of their changes: the truth that the leader keeps Redis's copy true to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from markov_shard.flags import Flag, Rollout, Rollouts, hundredths_of
from markov_shard.store.pool import Connection


@dataclass(frozen=True)
class FlagChange:
    """A flag's value from a moment on. Changes are numbered in the order in which they were committed."""

    change_id: int
    flag: Flag
    rollout: Rollout
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True)
class FlagValues:
    """All flags as of one change; 0 before the first."""

    change_id: int
    rollouts: Rollouts


async def read_flags(connection: Connection) -> FlagValues:
    """The flags that were ever set; none before a leader's first start."""
    rows = await connection.fetch(
        "SELECT flag, percentage, forced_guilds, (SELECT coalesce(max(change_id), 0) FROM flag_changes) AS change_id"
        " FROM flags ORDER BY flag"
    )
    return FlagValues(rows[0]["change_id"] if rows else 0, {row["flag"]: _rollout(row) for row in rows})


async def ensure_flags(connection: Connection, first: Rollouts) -> FlagValues:
    """The flags; those never set get their first values, in the caller's transaction."""
    found = await read_flags(connection)
    if first.keys() <= found.rollouts.keys():
        return found
    await _lock(connection)
    found = await read_flags(connection)
    for flag in first.keys() - found.rollouts.keys():
        await _write(connection, flag, first[flag], "settings")
    return await read_flags(connection)


async def change_flag(
    connection: Connection, flag: Flag, change: Callable[[Rollout], Rollout], *, changed_by: str
) -> FlagValues:
    """Changes a flag and notes who did, in the caller's transaction; a change to the same is none.

    The flag must have its first value.
    """
    await _lock(connection)
    before = (await read_flags(connection)).rollouts[flag]
    after = change(before)
    if after != before:
        await _write(connection, flag, after, changed_by)
    return await read_flags(connection)


async def flag_history(connection: Connection, *, limit: int) -> Sequence[FlagChange]:
    """The latest changes, newest first."""
    rows = await connection.fetch("SELECT * FROM flag_changes ORDER BY change_id DESC LIMIT $1", limit)
    return [
        FlagChange(row["change_id"], row["flag"], _rollout(row), row["changed_by"], row["changed_at"]) for row in rows
    ]


def with_forced(rollout: Rollout, guild_ids: Sequence[int], *, forced: bool) -> Rollout:
    """The rollout with guilds added to the forced ones, or taken out of them."""
    chosen = frozenset(guild_ids)
    return replace(rollout, forced=rollout.forced | chosen if forced else rollout.forced - chosen)


async def _lock(connection: Connection) -> None:
    """One change at a time, so that a higher number is always a later commit."""
    await connection.execute("LOCK TABLE flags IN SHARE ROW EXCLUSIVE MODE")


async def _write(connection: Connection, flag: Flag, rollout: Rollout, changed_by: str) -> None:
    values = (flag, rollout.percentage, sorted(rollout.forced))
    await connection.execute(
        "INSERT INTO flags (flag, percentage, forced_guilds) VALUES ($1, $2, $3) ON CONFLICT (flag)"
        " DO UPDATE SET percentage = EXCLUDED.percentage, forced_guilds = EXCLUDED.forced_guilds",
        *values,
    )
    await connection.execute(
        "INSERT INTO flag_changes (flag, percentage, forced_guilds, changed_by) VALUES ($1, $2, $3, $4)",
        *values,
        changed_by,
    )


def _rollout(row: "Connection") -> Rollout:
    return Rollout(hundredths_of(row["percentage"]), frozenset(row["forced_guilds"]))
