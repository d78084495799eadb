"""Permission bits and how roles, overwrites, ownership and threads combine into what a member may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discord_sim.state import Channel, Guild, Member

KICK_MEMBERS = 1 << 1
ADMINISTRATOR = 1 << 3
MANAGE_CHANNELS = 1 << 4
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
USE_EXTERNAL_EMOJIS = 1 << 18
CHANGE_NICKNAME = 1 << 26
MANAGE_NICKNAMES = 1 << 27
MANAGE_ROLES = 1 << 28
MANAGE_WEBHOOKS = 1 << 29
MANAGE_THREADS = 1 << 34
USE_APPLICATION_COMMANDS = 1 << 31
CREATE_PUBLIC_THREADS = 1 << 35
CREATE_PRIVATE_THREADS = 1 << 36
SEND_MESSAGES_IN_THREADS = 1 << 38
ALL = (1 << 53) - 1

EVERYONE_DEFAULT = (
    ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_EXTERNAL_EMOJIS
    | CHANGE_NICKNAME
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | SEND_MESSAGES_IN_THREADS
)
PRIVATE_THREAD = 12
THREAD_TYPES = frozenset({10, 11, PRIVATE_THREAD})


def in_guild(guild: Guild, member: Member) -> int:
    """The member's permissions before any channel: everything for the owner and for administrators."""
    if member.user.id == guild.owner_id:
        return ALL
    bits = guild.roles[guild.id].permissions
    for role_id in member.roles:
        if role := guild.roles.get(role_id):
            bits |= role.permissions
    return ALL if bits & ADMINISTRATOR else bits


def in_channel(guild: Guild, member: Member, channel: Channel) -> int:
    """The member's permissions in `channel`. Overwrites apply in Discord's order: everyone, roles together, member.

    A thread has its parent's overwrites, and sending in it is the permission to send in threads.
    A private thread is seen by its members and by those who manage threads.
    """
    bits = in_guild(guild, member)
    if bits == ALL:
        return bits
    thread = channel.type in THREAD_TYPES
    unseen = channel.type == PRIVATE_THREAD and member.user.id not in channel.thread_members
    if thread and channel.parent_id is not None:
        channel = guild.channels.get(channel.parent_id, channel)
    if channel.overwrites:
        bits = _overwritten(bits, guild, member, channel)
    if unseen and not bits & MANAGE_THREADS:
        return 0
    if thread:
        can_send = bits & SEND_MESSAGES_IN_THREADS
        bits = bits | SEND_MESSAGES if can_send else bits & ~SEND_MESSAGES
    return bits if bits & VIEW_CHANNEL else 0


def _overwritten(bits: int, guild: Guild, member: Member, channel: Channel) -> int:
    if everyone := channel.overwrites.get(guild.id):
        bits = bits & ~everyone.deny | everyone.allow
    allow = deny = 0
    for role_id in member.roles:
        if overwrite := channel.overwrites.get(role_id):
            allow |= overwrite.allow
            deny |= overwrite.deny
    bits = bits & ~deny | allow
    if own := channel.overwrites.get(member.user.id):
        bits = bits & ~own.deny | own.allow
    return bits
