"""Guilds, channels and members: making and removing them, and the events that say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from discord_sim import guild_shapes, permissions, shapes
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.ids import iso_at
from discord_sim.state import TEXT, Channel, Guild, Member, Overwrite, Role, User, World

BOT_PERMISSIONS = permissions.EVERYONE_DEFAULT | permissions.MANAGE_MESSAGES


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What a new channel is like; `id` None takes a fresh one."""

    name: str
    nsfw: bool = False
    id: int | None = None
    type: int = TEXT
    parent_id: int | None = None
    topic: str | None = None
    overwrites: Sequence[Overwrite] = field(default=())
    owner_id: int | None = None
    archived: bool = False


@dataclass(frozen=True, slots=True)
class NewMember:
    username: str
    admin: bool = False
    id: int | None = None
    bot: bool = False


class Places:
    """Changes guilds and what is in them, and dispatches GUILD_*, CHANNEL_*, THREAD_* and GUILD_MEMBER_* events."""

    def __init__(self, world: World, dispatcher: Dispatcher) -> None:
        self._world = world
        self._dispatcher = dispatcher

    def add_guild(
        self,
        name: str,
        channels: Sequence[NewChannel] = (),
        members: Sequence[NewMember] = (),
        *,
        guild_id: int | None = None,
    ) -> Guild:
        """A guild every bot has joined. The first admin among `members` owns it, else an owner is added.

        Raises ValueError when an ID is taken.
        """
        world = self._world
        guild_id = guild_id or world.ids.next()
        if guild_id in world.guilds:
            raise ValueError(f"guild {guild_id} exists")
        guild = new_guild(world, guild_id, name, iter(world.ids.next, None))
        world.guilds[guild_id] = guild
        if not any(member.admin for member in members):
            members = [*members, NewMember("guild-owner", admin=True)]
        for member in members:
            self.add_member(guild, member, dispatch=False)
        for channel in channels:
            self.add_channel(guild, channel, dispatch=False)
        self._dispatcher.send(Dispatch("GUILD_CREATE", self._whole(guild, joined=True), guild))
        return guild

    def add_channel(
        self, guild: Guild, new: NewChannel, *, owner_id: int | None = None, dispatch: bool = True
    ) -> Channel:
        """Raises ValueError when the ID is taken, or a thread's parent is unknown."""
        channel_id = new.id or self._world.ids.next()
        if channel_id in self._world.channels:
            raise ValueError(f"channel {channel_id} exists")
        thread = new.type in permissions.THREAD_TYPES
        if thread and new.parent_id not in guild.channels:
            raise ValueError(f"a thread needs a channel of its guild as parent, not {new.parent_id}")
        channel = Channel(
            channel_id,
            new.type,
            new.name,
            guild.id,
            position=len(guild.channels),
            nsfw=new.nsfw,
            parent_id=new.parent_id,
            topic=new.topic,
            owner_id=(owner_id or new.owner_id or guild.owner_id) if thread else None,
            archived=new.archived,
            archived_at=self._world.clock.iso() if thread else None,
            overwrites={item.id: item for item in new.overwrites},
        )
        if thread:
            channel.thread_members[channel.owner_id or guild.owner_id] = self._world.clock.iso()
        guild.channels[channel_id] = self._world.channels[channel_id] = channel
        if dispatch:
            self._channel_event("CREATE", guild, channel)
        return channel

    def created_channel(self, guild: Guild, channel: Channel) -> None:
        self._channel_event("CREATE", guild, channel)

    def set_thread_member(self, guild: Guild, thread: Channel, user_id: int, *, joined: bool) -> None:
        """Somebody joins a thread, or leaves it."""
        if joined == (user_id in thread.thread_members):
            return
        data: dict[str, object] = {"id": str(thread.id), "guild_id": str(guild.id)}
        if joined:
            thread.thread_members[user_id] = self._world.clock.iso()
            data["added_members"] = [guild_shapes.thread_member(thread, user_id)]
        else:
            del thread.thread_members[user_id]
            data["removed_member_ids"] = [str(user_id)]
        data["member_count"] = len(thread.thread_members)
        self._dispatcher.send(Dispatch("THREAD_MEMBERS_UPDATE", data, guild, thread))

    def changed_channel(self, guild: Guild, channel: Channel) -> None:
        self._channel_event("UPDATE", guild, channel)

    def archive(self, guild: Guild, thread: Channel, *, archived: bool) -> None:
        """Archive a thread, or open it again; what its metadata says of it last changed now."""
        if thread.archived != archived:
            thread.archived, thread.archived_at = archived, self._world.clock.iso()
            self._channel_event("UPDATE", guild, thread)

    def rename_guild(self, guild: Guild, name: str) -> None:
        guild.name = name
        self._dispatcher.send(Dispatch("GUILD_UPDATE", guild_shapes.guild(guild), guild))

    def give_guild(self, guild: Guild, user: User) -> None:
        """Another member owns it from now on."""
        guild.owner_id = user.id
        self._dispatcher.send(Dispatch("GUILD_UPDATE", guild_shapes.guild(guild), guild))

    def delete_channel(self, channel: Channel) -> None:
        """Delete it, its threads with it."""
        guild = self._world.guild_of(channel)
        if guild is None:
            return
        for thread in [item for item in self._world.threads_of(guild) if item.parent_id == channel.id]:
            del guild.channels[thread.id], self._world.channels[thread.id]
        self._channel_event("DELETE", guild, channel)
        del guild.channels[channel.id], self._world.channels[channel.id]

    def add_member(self, guild: Guild, new: NewMember, *, dispatch: bool = True) -> Member:
        user = self._world.add_user(new.username, user_id=new.id, bot=new.bot)
        if user.id in self._world.applications:
            return self._rejoin(guild, user)
        if (known := guild.members.get(user.id)) is not None:
            return known
        member = Member(user, self._world.clock.iso())
        if new.admin:
            if not guild.owner_id:
                guild.owner_id = user.id
            member.roles += [role.id for role in guild.roles.values() if role.name == "Admin"]
        guild.members[user.id] = member
        if dispatch:
            data = {**shapes.member(member), "guild_id": str(guild.id)}
            self._dispatcher.send(Dispatch("GUILD_MEMBER_ADD", data, guild))
        return member

    def _rejoin(self, guild: Guild, bot: User) -> Member:
        if bot.id not in guild.members:
            join_bot(guild, bot, self._world.ids.next())
            self._dispatcher.send(Dispatch("GUILD_CREATE", self._whole(guild, joined=True), guild, application=bot.id))
        return guild.members[bot.id]

    def remove_member(self, guild: Guild, user: User) -> None:
        """A member leaves; a bot that leaves gets GUILD_DELETE."""
        if user.id in self._world.applications:
            self._dispatcher.send(Dispatch("GUILD_DELETE", {"id": str(guild.id)}, guild, application=user.id))
            for role in [role for role in guild.roles.values() if role.bot_id == user.id]:
                del guild.roles[role.id]
        del guild.members[user.id]
        data = {"guild_id": str(guild.id), "user": shapes.user(user)}
        self._dispatcher.send(Dispatch("GUILD_MEMBER_REMOVE", data, guild))

    def delete_guild(self, guild: Guild) -> None:
        """The guild is deleted: every bot in it gets GUILD_DELETE, and its channels are gone."""
        self._dispatcher.send(Dispatch("GUILD_DELETE", {"id": str(guild.id)}, guild))
        for channel_id in guild.channels:
            del self._world.channels[channel_id]
        del self._world.guilds[guild.id]

    def set_unavailable(self, guild: Guild, *, unavailable: bool) -> None:
        """Begin or end an outage of the guild."""
        guild.unavailable = unavailable
        if unavailable:
            data = {"id": str(guild.id), "unavailable": True}
            self._dispatcher.send(Dispatch("GUILD_DELETE", data, guild, live=False))
        else:
            self._dispatcher.send(Dispatch("GUILD_CREATE", self._whole(guild), guild, live=False))

    def _whole(self, guild: Guild, *, joined: bool = False) -> dict[str, object]:
        return guild_shapes.guild_create(guild, 0, every_member=True, joined=joined)

    def _channel_event(self, what: str, guild: Guild, channel: Channel) -> None:
        kind = "THREAD" if channel.is_thread else "CHANNEL"
        data = guild_shapes.channel(channel)
        if channel.is_thread and what == "CREATE":
            data["newly_created"] = True
        if channel.is_thread and what == "DELETE":
            data = {key: data[key] for key in ("id", "guild_id", "parent_id", "type")}
        self._dispatcher.send(Dispatch(f"{kind}_{what}", data, guild, channel))


def new_guild(world: World, guild_id: int, name: str, ids: Iterator[int]) -> Guild:
    """A guild with its roles, that every bot has joined and that nobody owns yet."""
    guild = Guild(guild_id, name, 0, iso_at(guild_id))
    guild.roles[guild_id] = Role(guild_id, "@everyone", permissions.EVERYONE_DEFAULT)
    admin = Role(next(ids), "Admin", permissions.ADMINISTRATOR, position=2)
    guild.roles[admin.id] = admin
    for application in world.applications.values():
        join_bot(guild, application.bot, next(ids))
    return guild


def join_bot(guild: Guild, bot: User, role_id: int) -> None:
    """The bot becomes a member, with a role of its own."""
    guild.roles[role_id] = Role(role_id, bot.username, BOT_PERMISSIONS, position=1, bot_id=bot.id)
    guild.members[bot.id] = Member(bot, guild.joined_at, [role_id])
