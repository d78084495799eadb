"""Roles, who has them, and channels' permission overwrites: changing them, and the events that say so."""

from __future__ import annotations

from discord_sim import guild_shapes, shapes
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.state import Channel, Guild, Member, Overwrite, Role, World


class Roles:
    """Dispatches GUILD_ROLE_*, GUILD_MEMBER_UPDATE and, for overwrites, CHANNEL_UPDATE."""

    def __init__(self, world: World, dispatcher: Dispatcher) -> None:
        self._world = world
        self._dispatcher = dispatcher

    def add(self, guild: Guild, name: str, permissions: int, *, role_id: int | None = None) -> Role:
        """A new role above @everyone. Raises ValueError when the ID is taken."""
        role = Role(role_id or self._world.ids.next(), name, permissions, position=1)
        if role.id in guild.roles:
            raise ValueError(f"role {role.id} exists")
        guild.roles[role.id] = role
        self._role_event("CREATE", guild, role)
        return role

    def edit(self, guild: Guild, role: Role, *, name: str | None = None, permissions: int | None = None) -> None:
        role.name = role.name if name is None else name
        role.permissions = role.permissions if permissions is None else permissions
        self._role_event("UPDATE", guild, role)

    def delete(self, guild: Guild, role: Role) -> None:
        """Delete it, and take it from everybody. Raises ValueError for @everyone and a bot's own role."""
        if role.id == guild.id or role.bot_id is not None:
            raise ValueError(f"the role {role.name!r} cannot be deleted")
        del guild.roles[role.id]
        for member in guild.members.values():
            member.roles = [held for held in member.roles if held != role.id]
        data = {"guild_id": str(guild.id), "role_id": str(role.id)}
        self._dispatcher.send(Dispatch("GUILD_ROLE_DELETE", data, guild))

    def give(self, guild: Guild, member: Member, role_id: int) -> None:
        """Raises ValueError for a role the guild does not have."""
        if role_id not in guild.roles:
            raise ValueError(f"the guild has no role {role_id}")
        if role_id not in member.roles:
            member.roles.append(role_id)
            self.changed_member(guild, member)

    def take(self, guild: Guild, member: Member, role_id: int) -> None:
        if role_id in member.roles:
            member.roles.remove(role_id)
            self.changed_member(guild, member)

    def changed_member(self, guild: Guild, member: Member) -> None:
        data = {**shapes.member(member), "guild_id": str(guild.id)}
        self._dispatcher.send(Dispatch("GUILD_MEMBER_UPDATE", data, guild))

    def overwrite(self, guild: Guild, channel: Channel, wanted: Overwrite) -> None:
        """Set what a role (type 0) or a member (type 1) may and may not do in the channel."""
        channel.overwrites[wanted.id] = wanted
        self._channel_event(guild, channel)

    def delete_overwrite(self, guild: Guild, channel: Channel, overwrite_id: int) -> None:
        if channel.overwrites.pop(overwrite_id, None) is not None:
            self._channel_event(guild, channel)

    def _role_event(self, what: str, guild: Guild, role: Role) -> None:
        data = {"guild_id": str(guild.id), "role": guild_shapes.role(role)}
        self._dispatcher.send(Dispatch(f"GUILD_ROLE_{what}", data, guild))

    def _channel_event(self, guild: Guild, channel: Channel) -> None:
        self._dispatcher.send(Dispatch("CHANNEL_UPDATE", guild_shapes.channel(channel), guild, channel))
