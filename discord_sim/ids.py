"""Snowflakes: 42 bits of milliseconds since 2015, 10 bits of origin, 12 bits of sequence."""

from __future__ import annotations

from collections.abc import Callable

from discord_sim.clock import iso_of

EPOCH_MS = 1_420_070_400_000
_TIME_SHIFT = 22
_ORIGIN = 1 << 12


def snowflake_at(seconds: float) -> int:
    """The first snowflake of the millisecond at Unix `seconds`."""
    return (int(seconds * 1000) - EPOCH_MS) << _TIME_SHIFT


def seconds_of(snowflake: int) -> float:
    return ((snowflake >> _TIME_SHIFT) + EPOCH_MS) / 1000


def iso_at(snowflake: int) -> str:
    return iso_of(seconds_of(snowflake))


def shard_of(guild_id: int, shard_count: int) -> int:
    """Discord's routing formula."""
    return (guild_id >> _TIME_SHIFT) % shard_count


class SnowflakeFactory:
    """Strictly increasing snowflakes; more than 4,096 in a millisecond borrow from the next one."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._last = 0

    def next(self) -> int:
        candidate = snowflake_at(self._wall()) | _ORIGIN
        self._last = max(candidate, self._last + 1)
        return self._last


def parse_snowflake(value: object) -> int | None:
    """The ID in `value` (text of digits, or an int), or None where it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value >= 0 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    return None
