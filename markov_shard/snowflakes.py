"""Discord's IDs carry the time they were made at: https://discord.com/developers/docs/reference#snowflakes."""

DISCORD_EPOCH_MS = 1_420_070_400_000
TIMESTAMP_SHIFT = 22
"""The lower bits number the IDs of one millisecond; the upper ones choose a guild's shard."""


def made_at_ms(snowflake: int) -> int:
    """When an ID was made: milliseconds of Unix time."""
    return (snowflake >> TIMESTAMP_SHIFT) + DISCORD_EPOCH_MS


def first_id_at(seconds: float) -> int:
    """The lowest ID that can be made at a moment of Unix time; 0 for all moments before Discord's epoch."""
    return max(int(seconds * 1000) - DISCORD_EPOCH_MS, 0) << TIMESTAMP_SHIFT
