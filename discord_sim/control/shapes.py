"""Guilds, channels and members as the control API shows them."""

from __future__ import annotations

from discord_sim.state import Channel, Guild, Json, Member


def guild_shape(guild: Guild) -> Json:
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "channels": [channel_shape(channel) for channel in guild.channels.values()],
        "roles": [
            {"id": str(role.id), "name": role.name, "permissions": str(role.permissions)}
            for role in guild.roles.values()
        ],
        "members": [member_shape(guild, member) for member in guild.members.values()],
    }


def channel_shape(channel: Channel) -> Json:
    return {
        "id": str(channel.id),
        "name": channel.name,
        "type": channel.type,
        "nsfw": channel.nsfw,
        "parent_id": str(channel.parent_id) if channel.parent_id else None,
        "archived": channel.archived,
    }


def member_shape(guild: Guild, member: Member) -> Json:
    return {
        "id": str(member.user.id),
        "username": member.user.username,
        "bot": member.user.bot,
        "nick": member.nick,
        "roles": [str(role) for role in member.roles],
        "admin": guild.is_admin(member),
    }
