"""What exists: applications, users, guilds, channels, members and messages, in memory and by ID."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from discord_sim import permissions
from discord_sim.clock import Clock
from discord_sim.ids import SnowflakeFactory
from discord_sim.log import MessageLog
from discord_sim.stubs import Channels, Guilds

Json = dict[str, Any]

TEXT, DM, VOICE, CATEGORY, NEWS = 0, 1, 2, 4, 5
ROLE_OVERWRITE, MEMBER_OVERWRITE = 0, 1
_CROWD = 1000


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
    archived_at: str | None = None
    locked: bool = False
    slowmode: int = 0
    thread_members: dict[int, str] = field(default_factory=dict)
    recipients: list[User] = field(default_factory=list)
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: MessageLog = field(default_factory=MessageLog)

    @property
    def is_thread(self) -> bool:
        return self.type in permissions.THREAD_TYPES


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
    unlisted: int = 0
    """Members that are counted but not listed, of a guild made for its size."""

    @property
    def member_count(self) -> int:
        return len(self.members) + self.unlisted

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
    shards: int | None = None
    """How many `GET /gateway/bot` recommends; None: as many as its guilds need."""


class World:
    """Every entity there is. Changes made here tell nobody: `Chat` and `Places` change and dispatch."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ids = SnowflakeFactory(clock.wall)
        self.applications: dict[int, Application] = {}
        self.users: dict[int, User] = {}
        self.guilds = Guilds(self)
        self.channels = Channels(self)
        self.hidden: dict[int, Message] = {}
        self.shard_multiple = 1
        self._by_name: dict[str, User] = {}
        self._direct: dict[frozenset[int], Channel] = {}
        self._crowd: list[User] = []

    def add_application(self, name: str, *, app_id: int | None = None, token: str | None = None) -> Application:
        app_id = app_id or self.ids.next()
        token = token or base64.urlsafe_b64encode(str(app_id).encode()).decode().rstrip("=") + ".x.y"
        bot = self.add_user(name, user_id=app_id, bot=True)
        application = Application(app_id, name, bot, self.add_user(f"{name.lower()}-developer"), token)
        self.applications[app_id] = application
        return application

    def by_token(self, token: str) -> Application | None:
        return next((app for app in self.applications.values() if token and app.token == token), None)

    def add_user(self, username: str, *, user_id: int | None = None, bot: bool = False) -> User:
        """The user of that ID, else of that name, else a new one."""
        found = self.users.get(user_id) if user_id is not None else self.find_user(username)
        if found is None:
            found = User(user_id or self.ids.next(), username, bot)
            self.users[found.id] = found
            self._by_name.setdefault(username, found)
        return found

    def find_user(self, username: str) -> User | None:
        return self._by_name.get(username)

    def crowd(self) -> list[User]:
        """The people of guilds that are made for their number."""
        if not self._crowd:
            self._crowd = [self.add_user(f"member-{number}") for number in range(1, _CROWD + 1)]
        return self._crowd

    def guild_of(self, channel: Channel) -> Guild | None:
        return None if channel.guild_id is None else self.guilds.get(channel.guild_id)

    def message(self, channel_id: int, message_id: int) -> Message | None:
        channel = self.channels.get(channel_id)
        return None if channel is None else channel.messages.get(message_id)

    def find_message(self, message_id: int) -> Message | None:
        """The message of that ID in any channel, or one only its reader sees."""
        if hidden := self.hidden.get(message_id):
            return hidden
        found = (channel.messages.get(message_id) for channel in self.channels.values())
        return next((message for message in found if message is not None), None)

    def permissions(self, user_id: int, channel: Channel) -> int:
        """What the user may do in the channel: nothing where they are not a member."""
        guild = self.guild_of(channel)
        if guild is None:
            return permissions.ALL if any(user.id == user_id for user in channel.recipients) else 0
        member = guild.members.get(user_id)
        return 0 if member is None else permissions.in_channel(guild, member, channel)

    def dm_with(self, application: Application, user: User) -> Channel:
        """The channel of direct messages between a bot and a user, made when first asked for."""
        pair = frozenset((application.bot.id, user.id))
        if (found := self._direct.get(pair)) is not None:
            return found
        channel = Channel(self.ids.next(), DM, "", None, recipients=[user, application.bot])
        self.channels[channel.id] = self._direct[pair] = channel
        return channel

    def threads_of(self, guild: Guild) -> Iterator[Channel]:
        return (channel for channel in guild.channels.values() if channel.is_thread)
