"""Guilds, channels, threads and members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim import guild_shapes, permissions, shapes
from discord_sim.ids import parse_snowflake
from discord_sim.places import NewChannel
from discord_sim.rest.app import API, answer, application_of
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_channel, find_guild, find_message, id_in, limit_of
from discord_sim.state import Channel

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

_GUILD = API + "/guilds/{guild}"
_CHANNEL = API + "/channels/{channel}"
PUBLIC_THREAD = 11


class Guilds:
    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(_GUILD, self.guild),
            web.get(_GUILD + "/channels", self.channels),
            web.get(_GUILD + "/roles", self.roles),
            web.get(_GUILD + "/members", self.members),
            web.get(_GUILD + "/members/{user}", self.member),
            web.get(_GUILD + "/threads/active", self.active_threads),
            web.get(_CHANNEL, self.channel),
            web.delete(_CHANNEL, self.delete_channel),
            web.get(_CHANNEL + "/threads/archived/public", self.archived_threads),
            web.get(_CHANNEL + "/threads/archived/private", self.no_threads),
            web.post(_CHANNEL + "/threads", self.start_thread),
            web.post(_CHANNEL + "/messages/{message}/threads", self.start_thread_from_message),
        ]

    async def guild(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        counts = {"approximate_member_count": len(guild.members), "approximate_presence_count": len(guild.members)}
        return answer(guild_shapes.guild(guild) | (counts if request.query.get("with_counts") == "true" else {}))

    async def channels(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        return answer([guild_shapes.channel(item) for item in guild.channels.values() if not item.is_thread])

    async def roles(self, request: web.Request) -> web.Response:
        return answer([guild_shapes.role(role) for role in find_guild(self._world, request).roles.values()])

    async def members(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        after = parse_snowflake(request.query.get("after")) or 0
        page = sorted(user_id for user_id in guild.members if user_id > after)[: limit_of(request, 1, 1000)]
        return answer([shapes.member(guild.members[user_id]) for user_id in page])

    async def member(self, request: web.Request) -> web.Response:
        member = find_guild(self._world, request).members.get(id_in(request, "user"))
        if member is None:
            raise ApiError(Code.UNKNOWN_MEMBER)
        return answer(shapes.member(member))

    async def active_threads(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        found = [guild_shapes.channel(item) for item in self._world.threads_of(guild) if not item.archived]
        return answer({"threads": found, "members": []})

    async def channel(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        return answer(guild_shapes.channel(channel, viewer=application_of(request).bot.id))

    async def delete_channel(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_CHANNELS)
        shape = guild_shapes.channel(channel)
        self._sim.places.delete_channel(channel)
        return answer(shape)

    async def archived_threads(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        guild = self._world.guild_of(channel)
        threads = [] if guild is None else list(self._world.threads_of(guild))
        found = [item for item in threads if item.archived and item.parent_id == channel.id]
        found.sort(key=lambda item: item.id, reverse=True)
        page = found[: limit_of(request, 50, 100)]
        return answer(
            {
                "threads": [guild_shapes.channel(item) for item in page],
                "members": [],
                "has_more": len(page) < len(found),
            }
        )

    async def no_threads(self, request: web.Request) -> web.Response:
        find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        return answer({"threads": [], "members": [], "has_more": False})

    async def start_thread(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.CREATE_PUBLIC_THREADS)
        return await self._start_thread(request, channel, None)

    async def start_thread_from_message(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.CREATE_PUBLIC_THREADS)
        return await self._start_thread(request, channel, find_message(channel, request).id)

    async def _start_thread(self, request: web.Request, channel: Channel, thread_id: int | None) -> web.Response:
        guild = self._world.guild_of(channel)
        name = (await read_body(request)).object.get("name")
        if guild is None or not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise invalid("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
        bot = application_of(request).bot.id
        new = NewChannel(name, id=thread_id, type=PUBLIC_THREAD, parent_id=channel.id, owner_id=bot)
        return answer(guild_shapes.channel(self._sim.places.add_channel(guild, new)), 201)
