"""Guilds by the hundred thousand: each is a number until somebody asks for it, then the same guild every time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discord_sim.state import Channel, Guild, World

_FIRST_STAMP = 150_000_000_000
"""Guild IDs are this and the next numbers, shifted by 22 bits: they spread evenly over any number of shards."""
_PLACES = 1 << 12
"""IDs a stub's roles and channels may have, just above the guild's own."""
_ROLES_FROM = 2048
_MOST_CHANNELS, _MOST_LISTED = 8, 12
_CHANNEL_NAMES = ("general", "off-topic", "bot-spam", "pictures", "music", "games", "support", "staff")


class Guilds:
    """Guilds by ID: those in memory, and stubs that become guilds in memory when they are looked up."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[int, Guild] = {}
        self._stubs: dict[int, int] = {}
        self._biggest = 0
        self._made = 0

    def __len__(self) -> int:
        return len(self._held) + len(self._stubs)

    def __contains__(self, guild_id: int) -> bool:
        return guild_id in self._held or guild_id in self._stubs

    def __iter__(self) -> Iterator[int]:
        yield from self._held
        yield from self._stubs

    def __setitem__(self, guild_id: int, guild: Guild) -> None:
        self._held[guild_id] = guild

    def __getitem__(self, guild_id: int) -> Guild:
        found = self.get(guild_id)
        if found is None:
            raise KeyError(guild_id)
        return found

    def __delitem__(self, guild_id: int) -> None:
        if self._held.pop(guild_id, None) is None:
            del self._stubs[guild_id]

    def get(self, guild_id: int) -> Guild | None:
        """The guild, in memory from now on."""
        found = self._held.get(guild_id)
        if found is None and (number := self._stubs.pop(guild_id, None)) is not None:
            found = self._held[guild_id] = self._make(guild_id, number)
            self._world.channels.update(found.channels)
        return found

    def peek(self, guild_id: int) -> Guild:
        """The guild for a moment's look: a stub stays a stub. Raises KeyError."""
        found = self._held.get(guild_id)
        return found if found is not None else self._make(guild_id, self._stubs[guild_id])

    def held(self) -> list[Guild]:
        """The guilds in memory."""
        return list(self._held.values())

    def of_member(self, user_id: int) -> Iterator[int]:
        """The IDs of the guilds a bot is in: it is in every stub."""
        yield from (guild.id for guild in self._held.values() if user_id in guild.members)
        yield from self._stubs

    def add_stubs(self, count: int, *, biggest: int = 100_000) -> list[int]:
        """`count` more guilds whose sizes follow Zipf's law, the first of `biggest` members; returns their IDs."""
        self._biggest = biggest
        numbers = range(self._made, self._made + count)
        self._made += count
        ids = [(_FIRST_STAMP + number) << 22 for number in numbers]
        self._stubs.update(zip(ids, numbers, strict=True))
        return ids

    def of_place(self, place_id: int) -> int | None:
        """The stub that a channel's ID belongs to."""
        guild_id = place_id & ~(_PLACES - 1)
        return guild_id if guild_id in self._stubs else None

    def _make(self, guild_id: int, number: int) -> Guild:
        from discord_sim.places import new_guild  # places needs the world, which needs this
        from discord_sim.state import Channel, Member

        people = self._world.crowd()
        owner = people[number % len(people)]
        ids = iter(range(guild_id + _ROLES_FROM, guild_id + _PLACES))
        guild = new_guild(self._world, guild_id, f"Server {number + 1}", ids)
        guild.owner_id = owner.id
        size = max(2, self._biggest // (number + 1))
        listed = [people[(number + step) % len(people)] for step in range(min(size, _MOST_LISTED))]
        guild.members |= {user.id: Member(user, guild.joined_at) for user in listed}
        guild.unlisted = max(0, size - len(guild.members))
        for place in range(1 + min(_MOST_CHANNELS - 1, size.bit_length() // 2)):
            channel = Channel(guild_id + 1 + place, 0, _CHANNEL_NAMES[place], guild_id, position=place)
            guild.channels[channel.id] = channel
        return guild


class Channels(dict[int, "Channel"]):
    """Channels by ID; asking for one of a stub takes its guild into memory."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def get(self, channel_id: int, default: Channel | None = None) -> Channel | None:  # type: ignore[override]
        found = super().get(channel_id)
        if found is None and (guild_id := self._world.guilds.of_place(channel_id)) is not None:
            self._world.guilds.get(guild_id)
            found = super().get(channel_id)
        return default if found is None else found
