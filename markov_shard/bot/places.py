"""A guild's channels as a command needs them: who sees them, and what the bot may do there.

Asked of Discord when a moderator changes something, which is rare; nothing of it is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import hikari

LEARNABLE = (
    hikari.ChannelType.GUILD_TEXT,
    hikari.ChannelType.GUILD_NEWS,
    hikari.ChannelType.GUILD_FORUM,
    hikari.ChannelType.GUILD_VOICE,
)


@dataclass(frozen=True)
class Place:
    """A channel; `public`: everybody in the guild sees it; `mine`: the bot's permissions in it."""

    channel_id: int
    name: str
    nsfw: bool
    public: bool
    mine: hikari.Permissions

    @property
    def missing_to_read(self) -> str | None:
        """The permission without which the bot cannot learn there, as Discord names it."""
        if not self.mine & hikari.Permissions.VIEW_CHANNEL:
            return "View Channel"
        if not self.mine & hikari.Permissions.READ_MESSAGE_HISTORY:
            return "Read Message History"
        return None

    @property
    def missing_to_write(self) -> str | None:
        """The permission without which the bot cannot answer there."""
        if not self.mine & hikari.Permissions.VIEW_CHANNEL:
            return "View Channel"
        return None if self.mine & hikari.Permissions.SEND_MESSAGES else "Send Messages"


class Places:
    """Asks Discord for guilds' channels. Raises hikari's errors."""

    def __init__(self, rest: Callable[[], hikari.api.RESTClient], bot_id: int) -> None:
        self._rest = rest
        self._bot_id = bot_id

    async def of(self, guild_id: int) -> Mapping[int, Place]:
        """The guild's learnable channels by ID, in the order in which members see them."""
        rest = self._rest()
        channels = await rest.fetch_guild_channels(guild_id)
        roles = {role.id: role for role in await rest.fetch_roles(guild_id)}
        me = await rest.fetch_member(guild_id, self._bot_id)
        everyone = roles[hikari.Snowflake(guild_id)].permissions
        mine = everyone
        for role_id in me.role_ids:
            mine |= roles[role_id].permissions if role_id in roles else hikari.Permissions.NONE
        wanted = (
            channel
            for channel in channels
            if isinstance(channel, hikari.PermissibleGuildChannel) and channel.type in LEARNABLE
        )
        return {
            int(channel.id): Place(
                int(channel.id),
                channel.name or str(channel.id),
                bool(channel.is_nsfw),
                bool(_in_channel(everyone, channel, guild_id, ()) & hikari.Permissions.VIEW_CHANNEL),
                _in_channel(mine, channel, guild_id, me.role_ids, self._bot_id),
            )
            for channel in sorted(wanted, key=lambda channel: (channel.position, channel.id))
        }

    async def staff(self, guild_id: int) -> tuple[int, list[tuple[int, hikari.Permissions]]]:
        """The guild's owner, and its roles with their permissions."""
        guild = await self._rest().fetch_guild(guild_id)
        return int(guild.owner_id), [(int(role.id), role.permissions) for role in guild.roles.values()]


def _in_channel(
    granted: hikari.Permissions,
    channel: hikari.PermissibleGuildChannel,
    guild_id: int,
    role_ids: Sequence[int],
    member_id: int = 0,
) -> hikari.Permissions:
    """Permissions after a channel's overwrites: everyone, roles together, member; Discord's documentation's order."""
    if granted & hikari.Permissions.ADMINISTRATOR:
        return hikari.Permissions.all_permissions()
    overwrites = channel.permission_overwrites
    if (everyone := overwrites.get(hikari.Snowflake(guild_id))) is not None:
        granted = granted & ~everyone.deny | everyone.allow
    allow = deny = hikari.Permissions.NONE
    for role_id in role_ids:
        if role_id != guild_id and (overwrite := overwrites.get(hikari.Snowflake(role_id))) is not None:
            allow |= overwrite.allow
            deny |= overwrite.deny
    granted = granted & ~deny | allow
    if member_id and (own := overwrites.get(hikari.Snowflake(member_id))) is not None:
        granted = granted & ~own.deny | own.allow
    return granted
