"""What exists: applications, users, guilds, channels, members and messages, in memory and by ID."""

from __future__ import annotations

import base64
import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from discord_sim import permissions
from discord_sim.clock import Clock
from discord_sim.ids import SnowflakeFactory

Json = dict[str, Any]

TEXT, DM, VOICE, CATEGORY, NEWS = 0, 1, 2, 4, 5


@dataclass(slots=True)
class User:
    id: int
    username: str
    bot: bool = False


@dataclass(slots=True)
class Role:
    id: int
    name: str
    permissions: int
    position: int = 0
    bot_id: int | None = None


@dataclass(slots=True)
class Overwrite:
    id: int
    type: int
    allow: int
    deny: int


@dataclass(slots=True)
class Member:
    user: User
    joined_at: str
    roles: list[int] = field(default_factory=list)
    nick: str | None = None


@dataclass(slots=True)
class Attachment:
    """A file on the CDN; its address is signed afresh each time it is shown."""

    id: int
    channel_id: int
    filename: str
    size: int
    content_type: str
    description: str | None = None
    width: int | None = None
    height: int | None = None
    ephemeral: bool = False


@dataclass(slots=True)
class Message:
    id: int
    channel_id: int
    author: User
    content: str
    type: int = 0
    flags: int = 0
    edited_at: str | None = None
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    reference: int | None = None
    nonce: str | int | None = None
    pinned: bool = False
    tts: bool = False
    webhook_id: int | None = None
    application_id: int | None = None
    interaction: Json | None = None
    reactions: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Channel:
    id: int
    type: int
    name: str
    guild_id: int | None
    position: int = 0
    nsfw: bool = False
    parent_id: int | None = None
    topic: str | None = None
    owner_id: int | None = None
    archived: bool = False
    recipients: list[User] = field(default_factory=list)
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    @property
    def is_thread(self) -> bool:
        return self.type in permissions.THREAD_TYPES

    def add(self, message: Message) -> None:
        """Keep `message`, in the order of IDs however it arrives. Raises ValueError for an ID already here."""
        if message.id in self.messages:
            raise ValueError(f"message {message.id} exists")
        self.messages[message.id] = message
        if not self.order or message.id > self.order[-1]:
            self.order.append(message.id)
        else:
            bisect.insort(self.order, message.id)

    def remove(self, message_id: int) -> Message | None:
        message = self.messages.pop(message_id, None)
        if message is not None:
            del self.order[bisect.bisect_left(self.order, message_id)]
        return message

    def page(self, limit: int, *, before: int | None = None, after: int | None = None) -> list[Message]:
        """Up to `limit` messages, newest first: the newest, those just before, or those just after an ID."""
        if after is not None:
            start = bisect.bisect_right(self.order, after)
            chosen = self.order[start : start + limit]
        else:
            end = len(self.order) if before is None else bisect.bisect_left(self.order, before)
            chosen = self.order[max(0, end - limit) : end]
        return [self.messages[message_id] for message_id in reversed(chosen)]

    def around(self, limit: int, message_id: int) -> list[Message]:
        middle = bisect.bisect_left(self.order, message_id)
        start = max(0, middle - limit // 2)
        return [self.messages[found] for found in reversed(self.order[start : start + limit])]


@dataclass(slots=True)
class Guild:
    id: int
    name: str
    owner_id: int
    joined_at: str
    roles: dict[int, Role] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    unavailable: bool = False

    def is_admin(self, member: Member) -> bool:
        return bool(permissions.in_guild(self, member) & permissions.ADMINISTRATOR)


@dataclass(slots=True)
class Application:
    """A bot: its token, the privileged intents it may use, and its commands (None: the global ones)."""

    id: int
    name: str
    bot: User
    owner: User
    token: str
    privileged_intents: int = 1 << 1 | 1 << 8 | 1 << 15
    commands: dict[int | None, dict[int, Json]] = field(default_factory=dict)


class World:
    """Every entity there is. Changes made here tell nobody: `Chat` and `Places` change and dispatch."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ids = SnowflakeFactory(clock.wall)
        self.applications: dict[int, Application] = {}
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.hidden: dict[int, Message] = {}
        self.shard_multiple = 1

    def add_application(self, name: str, *, app_id: int | None = None, token: str | None = None) -> Application:
        app_id = app_id or self.ids.next()
        token = token or base64.urlsafe_b64encode(str(app_id).encode()).decode().rstrip("=") + ".x.y"
        bot = self.add_user(name, user_id=app_id, bot=True)
        application = Application(app_id, name, bot, self.add_user(f"{name.lower()}-developer"), token)
        self.applications[app_id] = application
        return application

    def by_token(self, token: str) -> Application | None:
        return next((app for app in self.applications.values() if app.token == token), None)

    def add_user(self, username: str, *, user_id: int | None = None, bot: bool = False) -> User:
        """The user of that ID, else of that name, else a new one."""
        found = self.users.get(user_id) if user_id is not None else self.find_user(username)
        if found is None:
            found = User(user_id or self.ids.next(), username, bot)
            self.users[found.id] = found
        return found

    def find_user(self, username: str) -> User | None:
        return next((user for user in self.users.values() if user.username == username), None)

    def guild_of(self, channel: Channel) -> Guild | None:
        return None if channel.guild_id is None else self.guilds.get(channel.guild_id)

    def message(self, channel_id: int, message_id: int) -> Message | None:
        channel = self.channels.get(channel_id)
        return None if channel is None else channel.messages.get(message_id)

    def find_message(self, message_id: int) -> Message | None:
        """The message of that ID in any channel, or one only its reader sees."""
        if hidden := self.hidden.get(message_id):
            return hidden
        return next((c.messages[message_id] for c in self.channels.values() if message_id in c.messages), None)

    def permissions(self, user_id: int, channel: Channel) -> int:
        """What the user may do in the channel: nothing where they are not a member."""
        guild = self.guild_of(channel)
        if guild is None:
            return permissions.ALL if any(user.id == user_id for user in channel.recipients) else 0
        member = guild.members.get(user_id)
        return 0 if member is None else permissions.in_channel(guild, member, channel)

    def dm_with(self, application: Application, user: User) -> Channel:
        """The channel of direct messages between a bot and a user, made when first asked for."""
        for channel in self.channels.values():
            if channel.type == DM and {found.id for found in channel.recipients} == {application.bot.id, user.id}:
                return channel
        channel = Channel(self.ids.next(), DM, "", None, recipients=[user, application.bot])
        self.channels[channel.id] = channel
        return channel

    def threads_of(self, guild: Guild) -> Iterator[Channel]:
        return (channel for channel in guild.channels.values() if channel.is_thread)
