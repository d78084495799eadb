"""The bot itself: its user, its application, and how it is to connect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim import guild_shapes, shapes
from discord_sim.gateway.identify import GUILDS_PER_SHARD
from discord_sim.ids import parse_snowflake
from discord_sim.rest.app import API, answer, application_of
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code
from discord_sim.rest.find import id_in
from discord_sim.state import Application, Json

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

_MAX_REFRESHED = 50


class Users:
    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(API + "/gateway", self.gateway),
            web.get(API + "/gateway/bot", self.gateway_bot),
            web.get(API + "/users/@me", self.me),
            web.get(API + "/users/@me/guilds", self.my_guilds),
            web.post(API + "/users/@me/channels", self.direct_channel),
            web.get(API + "/users/{user}", self.user),
            web.get(API + "/applications/@me", self.application),
            web.get(API + "/oauth2/applications/@me", self.application),
            web.post(API + "/attachments/refresh-urls", self.refresh_urls),
        ]

    def _guild_count(self, application: Application) -> int:
        return sum(1 for _ in self._world.guilds.of_member(application.bot.id))

    async def gateway(self, request: web.Request) -> web.Response:
        return answer({"url": self._sim.gateway.url})

    async def gateway_bot(self, request: web.Request) -> web.Response:
        limits = self._sim.gateway.limits
        budget = self._sim.gateway.budget(application_of(request))
        shards = max(1, math.ceil(self._guild_count(application_of(request)) / (GUILDS_PER_SHARD * 0.4)))
        return answer(
            {
                "url": self._sim.gateway.url,
                "shards": shards,
                "session_start_limit": {
                    "total": budget.total,
                    "remaining": budget.remaining,
                    "reset_after": budget.reset_after_ms,
                    "max_concurrency": limits.max_concurrency,
                },
            }
        )

    async def me(self, request: web.Request) -> web.Response:
        return answer(shapes.own_user(application_of(request).bot))

    async def my_guilds(self, request: web.Request) -> web.Response:
        bot = application_of(request).bot.id
        after = parse_snowflake(request.query.get("after")) or 0
        found = sorted(guild_id for guild_id in self._world.guilds.of_member(bot) if guild_id > after)[:200]
        return answer([self._partial_guild(guild_id) for guild_id in found])

    def _partial_guild(self, guild_id: int) -> Json:
        guild = self._world.guilds.peek(guild_id)
        return {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": "0",
            "features": [],
        }

    async def user(self, request: web.Request) -> web.Response:
        user = self._world.users.get(id_in(request, "user"))
        if user is None:
            raise ApiError(Code.UNKNOWN_USER)
        return answer(shapes.user(user))

    async def direct_channel(self, request: web.Request) -> web.Response:
        wanted = parse_snowflake((await read_body(request)).object.get("recipient_id"))
        user = self._world.users.get(wanted or 0)
        if user is None:
            raise ApiError(Code.UNKNOWN_USER)
        application = application_of(request)
        return answer(guild_shapes.channel(self._world.dm_with(application, user), viewer=application.bot.id))

    async def application(self, request: web.Request) -> web.Response:
        application = application_of(request)
        return answer(guild_shapes.application(application, self._guild_count(application)))

    async def refresh_urls(self, request: web.Request) -> web.Response:
        urls = (await read_body(request)).object.get("attachment_urls")
        if not isinstance(urls, list) or not 1 <= len(urls) <= _MAX_REFRESHED:
            raise ApiError(Code.INVALID_FORM)
        refreshed = [{"original": url, "refreshed": self._sim.cdn.refresh(url)} for url in urls]
        return answer({"refreshed_urls": refreshed})
