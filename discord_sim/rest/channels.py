"""Channels and threads: reading, making, changing and leaving them."""

from __future__ import annotations

from aiohttp import web

from discord_sim import guild_shapes, permissions
from discord_sim.parts import Parts
from discord_sim.permissions import PRIVATE_THREAD
from discord_sim.places import NewChannel
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_channel, find_message, id_in, limit_of
from discord_sim.rest.guild_bodies import ChannelChanges, NewOverwrite, NewThread, OverwritePart
from discord_sim.rest.validation import read
from discord_sim.state import DM, TEXT, Channel, Guild, Json, Overwrite

_CHANNEL = API + "/channels/{channel}"
PUBLIC_THREAD = 11
_HOLDS_THREADS = frozenset({0, 5})


class Channels:
    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        members, overwrite = _CHANNEL + "/thread-members", _CHANNEL + "/permissions/{overwrite}"
        return [
            web.get(_CHANNEL, self.channel),
            web.patch(_CHANNEL, self.edit),
            web.delete(_CHANNEL, self.delete),
            web.put(overwrite, self.set_overwrite),
            web.delete(overwrite, self.delete_overwrite),
            web.get(_CHANNEL + "/threads/archived/public", self.archived),
            web.get(_CHANNEL + "/threads/archived/private", self.archived_private),
            web.get(_CHANNEL + "/users/@me/threads/archived/private", self.archived_joined),
            web.post(_CHANNEL + "/threads", self.start_thread),
            web.post(_CHANNEL + "/messages/{message}/threads", self.start_thread_from_message),
            web.get(members, self.thread_members),
            web.put(members + "/@me", self.join),
            web.delete(members + "/@me", self.leave),
            web.get(members + "/{user}", self.thread_member),
            web.put(members + "/{user}", self.join),
            web.delete(members + "/{user}", self.leave),
        ]

    async def channel(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        return answer(guild_shapes.channel(channel, viewer=application_of(request).bot.id))

    def _in_guild(self, request: web.Request, *needed: int) -> tuple[Channel, Guild]:
        channel = find_channel(self._world, request, *needed)
        guild = self._world.guild_of(channel)
        if guild is None:
            raise ApiError(Code.WRONG_CHANNEL_TYPE)
        return channel, guild

    async def edit(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        needed = permissions.MANAGE_THREADS if channel.is_thread else permissions.MANAGE_CHANNELS
        own = channel.is_thread and channel.owner_id == application_of(request).bot.id
        channel, guild = self._in_guild(request, *(() if own else (needed,)))
        wanted = read(ChannelChanges, (await read_body(request)).json)
        if channel.is_thread:
            self._edit_thread(guild, channel, wanted)
        else:
            change(channel, guild, wanted)
            self._sim.places.changed_channel(guild, channel)
        return answer(guild_shapes.channel(channel))

    def _edit_thread(self, guild: Guild, thread: Channel, wanted: ChannelChanges) -> None:
        before = (thread.name, thread.locked, thread.slowmode, thread.archived)
        thread.name = thread.name if wanted.name is None else wanted.name
        thread.locked = thread.locked if wanted.locked is None else wanted.locked
        thread.slowmode = thread.slowmode if wanted.rate_limit_per_user is None else wanted.rate_limit_per_user
        if wanted.archived is not None:
            self._sim.places.archive(guild, thread, archived=wanted.archived)
        if before[:3] != (thread.name, thread.locked, thread.slowmode):
            self._sim.places.changed_channel(guild, thread)

    async def delete(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        if channel.type == DM:
            return answer(guild_shapes.channel(channel, viewer=application_of(request).bot.id))
        needed = permissions.MANAGE_THREADS if channel.is_thread else permissions.MANAGE_CHANNELS
        channel, _ = self._in_guild(request, needed)
        shape = guild_shapes.channel(channel)
        self._sim.places.delete_channel(channel)
        return answer(shape)

    async def set_overwrite(self, request: web.Request) -> web.Response:
        channel, guild = self._in_guild(request, permissions.MANAGE_ROLES)
        wanted = read(NewOverwrite, (await read_body(request)).json)
        overwrite = Overwrite(id_in(request, "overwrite"), wanted.type, wanted.allow or 0, wanted.deny or 0)
        self._sim.roles.overwrite(guild, channel, overwrite)
        return no_content()

    async def delete_overwrite(self, request: web.Request) -> web.Response:
        channel, guild = self._in_guild(request, permissions.MANAGE_ROLES)
        found = id_in(request, "overwrite")
        if found not in channel.overwrites:
            raise ApiError(Code.UNKNOWN_OVERWRITE)
        self._sim.roles.delete_overwrite(guild, channel, found)
        return no_content()

    # --- threads -----------------------------------------------------------------------------------------------

    async def archived(self, request: web.Request) -> web.Response:
        channel, guild = self._in_guild(request, permissions.READ_MESSAGE_HISTORY)
        return self._archived(request, channel, guild, private=False)

    async def archived_private(self, request: web.Request) -> web.Response:
        channel, guild = self._in_guild(request, permissions.READ_MESSAGE_HISTORY, permissions.MANAGE_THREADS)
        return self._archived(request, channel, guild, private=True)

    async def archived_joined(self, request: web.Request) -> web.Response:
        channel, guild = self._in_guild(request, permissions.READ_MESSAGE_HISTORY)
        return self._archived(request, channel, guild, private=True, joined=application_of(request).bot.id)

    def _archived(
        self, request: web.Request, channel: Channel, guild: Guild, *, private: bool, joined: int | None = None
    ) -> web.Response:
        """Newest first: public and all private ones by when they were archived, joined ones by ID."""

        def key(thread: Channel) -> str:
            return f"{thread.id:020}" if joined is not None else thread.archived_at or ""

        found = [
            thread
            for thread in self._world.threads_of(guild)
            if thread.archived
            and thread.parent_id == channel.id
            and (thread.type == PRIVATE_THREAD) is private
            and (joined is None or joined in thread.thread_members)
        ]
        before = request.query.get("before")
        if before is not None:
            end = f"{int(before):020}" if joined is not None and before.isdigit() else before
            found = [thread for thread in found if key(thread) < end]
        found.sort(key=key, reverse=True)
        page = found[: limit_of(request, 50, 100, 2)]
        return answer(self._threads(page, application_of(request).bot.id) | {"has_more": len(page) < len(found)})

    @staticmethod
    def _threads(threads: list[Channel], bot_id: int) -> Json:
        joined = [thread for thread in threads if bot_id in thread.thread_members]
        return {
            "threads": [guild_shapes.channel(thread) for thread in threads],
            "members": [guild_shapes.thread_member(thread, bot_id) for thread in joined],
        }

    async def start_thread(self, request: web.Request) -> web.Response:
        wanted = read(NewThread, (await read_body(request)).json)
        kind = PRIVATE_THREAD if wanted.type is None else wanted.type
        private = kind == PRIVATE_THREAD
        needed = permissions.CREATE_PRIVATE_THREADS if private else permissions.CREATE_PUBLIC_THREADS
        channel, guild = self._in_guild(request, needed)
        return self._start_thread(request, channel, guild, NewChannel(wanted.name, type=kind, parent_id=channel.id))

    async def start_thread_from_message(self, request: web.Request) -> web.Response:
        channel, guild = self._in_guild(request, permissions.CREATE_PUBLIC_THREADS)
        message = find_message(channel, request)
        wanted = read(NewThread, (await read_body(request)).json)
        if message.id in self._world.channels:
            raise ApiError(Code.THREAD_EXISTS)
        new = NewChannel(wanted.name, id=message.id, type=PUBLIC_THREAD, parent_id=channel.id)
        return self._start_thread(request, channel, guild, new)

    def _start_thread(self, request: web.Request, channel: Channel, guild: Guild, new: NewChannel) -> web.Response:
        if channel.type not in _HOLDS_THREADS:
            raise ApiError(Code.WRONG_CHANNEL_TYPE)
        bot = application_of(request).bot.id
        thread = self._sim.places.add_channel(guild, new, owner_id=bot)
        shape = guild_shapes.channel(thread) | {"member": guild_shapes.thread_member(thread, bot)}
        return answer(shape, 201)

    def _thread(self, request: web.Request) -> tuple[Channel, Guild]:
        thread, guild = self._in_guild(request)
        if not thread.is_thread:
            raise ApiError(Code.WRONG_CHANNEL_TYPE)
        return thread, guild

    def _who(self, request: web.Request) -> int:
        return id_in(request, "user") if "user" in request.match_info else application_of(request).bot.id

    async def thread_members(self, request: web.Request) -> web.Response:
        thread, _ = self._thread(request)
        return answer([guild_shapes.thread_member(thread, user_id) for user_id in thread.thread_members])

    async def thread_member(self, request: web.Request) -> web.Response:
        thread, _ = self._thread(request)
        user_id = self._who(request)
        if user_id not in thread.thread_members:
            raise ApiError(Code.UNKNOWN_MEMBER)
        return answer(guild_shapes.thread_member(thread, user_id))

    async def join(self, request: web.Request) -> web.Response:
        thread, guild = self._thread(request)
        user_id = self._who(request)
        if user_id not in guild.members:
            raise ApiError(Code.UNKNOWN_USER)
        if thread.archived:
            raise ApiError(Code.THREAD_ARCHIVED)
        self._sim.places.set_thread_member(guild, thread, user_id, joined=True)
        return no_content()

    async def leave(self, request: web.Request) -> web.Response:
        thread, guild = self._thread(request)
        self._sim.places.set_thread_member(guild, thread, self._who(request), joined=False)
        return no_content()


def change(channel: Channel, guild: Guild, wanted: ChannelChanges) -> None:
    """Sets what a body gives of a channel that is no thread. Raises ApiError for a parent that is none."""
    if "parent_id" in wanted.given:
        parent = guild.channels.get(wanted.parent_id or 0)
        if wanted.parent_id is not None and (parent is None or parent.type in (TEXT, DM)):
            raise invalid("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
        channel.parent_id = wanted.parent_id
    channel.name = channel.name if wanted.name is None else wanted.name
    channel.nsfw = channel.nsfw if wanted.nsfw is None else wanted.nsfw
    channel.position = channel.position if wanted.position is None else wanted.position
    channel.slowmode = channel.slowmode if wanted.rate_limit_per_user is None else wanted.rate_limit_per_user
    if "topic" in wanted.given:
        channel.topic = wanted.topic
    if wanted.permission_overwrites is not None:
        made = [_overwrite(guild, item) for item in wanted.permission_overwrites]
        channel.overwrites = {item.id: item for item in made}


def _overwrite(guild: Guild, wanted: OverwritePart) -> Overwrite:
    kind = wanted.type if wanted.type is not None else int(wanted.id not in guild.roles)
    return Overwrite(wanted.id, kind, wanted.allow or 0, wanted.deny or 0)
