"""Guild-ID ranges: which guilds a process owns.

Discord decides which connection receives a guild: `shard_id = (guild_id >> 22) % shard_count`
(https://discord.com/developers/docs/events/gateway#sharding). A range is a run of shard IDs and so exactly the
guild IDs routed to them. Literal ID intervals are not used: IDs grow with time, so the newest interval would be
the only hot one.
"""

from dataclasses import dataclass


def shard_of(guild_id: int, shard_count: int) -> int:
    """The shard that receives a guild's events. Direct messages, which have no guild, go to shard 0."""
    return (guild_id >> 22) % shard_count


@dataclass(frozen=True, order=True, slots=True)
class GuildRange:
    """The guilds of shards `first` to `last`, both included, of `shard_count`."""

    first: int
    last: int
    shard_count: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last < self.shard_count:
            raise ValueError(f"no range of {self.shard_count} shards: {self.first} to {self.last}")

    @classmethod
    def whole(cls, shard_count: int) -> "GuildRange":
        """All guild IDs."""
        return cls(0, shard_count - 1, shard_count)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, guild_id: int) -> bool:
        return self.contains(guild_id)

    def contains(self, guild_id: int) -> bool:
        """Whether the guild is one of this range."""
        return self.first <= shard_of(guild_id, self.shard_count) <= self.last

    @property
    def shard_ids(self) -> range:
        """The shard IDs, in order."""
        return range(self.first, self.last + 1)

    def split(self, n: int) -> list["GuildRange"]:
        """`n` ranges that make up this one, in order, with sizes within one of each other.

        Raises ValueError when there are fewer shards than parts.
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"{self} cannot be split into {n} parts")
        size, larger = divmod(len(self), n)
        parts, first = [], self.first
        for number in range(n):
            last = first + size - (0 if number < larger else 1)
            parts.append(GuildRange(first, last, self.shard_count))
            first = last + 1
        return parts

    def __str__(self) -> str:
        return f"shards {self.first}-{self.last} of {self.shard_count}"
