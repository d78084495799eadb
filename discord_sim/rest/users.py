"""The bot itself: its user, its application, and how it is to connect."""

from __future__ import annotations

import math
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from discord_sim import guild_shapes, shapes
from discord_sim.gateway.identify import GUILDS_PER_SHARD
from discord_sim.parts import Parts
from discord_sim.permissions import in_guild
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_guild, id_in, limit_of, query_flag, query_id
from discord_sim.rest.validation import Snowflake, Wanted, read
from discord_sim.state import Application, Json

_MAX_REFRESHED = 50


class _Profile(Wanted):
    username: Annotated[str, StringConstraints(min_length=2, max_length=32)] = ""
    avatar: str | None = None
    banner: str | None = None


class _Recipient(Wanted):
    recipient_id: Snowflake


class _Urls(Wanted):
    attachment_urls: Annotated[list[str], Field(min_length=1, max_length=_MAX_REFRESHED)]


class Users:
    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(API + "/gateway", self.gateway),
            web.get(API + "/gateway/bot", self.gateway_bot),
            web.get(API + "/users/@me", self.me),
            web.patch(API + "/users/@me", self.edit_me),
            web.get(API + "/users/@me/guilds", self.my_guilds),
            web.delete(API + "/users/@me/guilds/{guild}", self.leave),
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
        application = application_of(request)
        budget = self._sim.gateway.budget(application)
        needed = max(1, math.ceil(self._guild_count(application) / (GUILDS_PER_SHARD * 0.4)))
        return answer(
            {
                "url": self._sim.gateway.url,
                "shards": application.shards or needed,
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

    async def edit_me(self, request: web.Request) -> web.Response:
        bot, wanted = application_of(request).bot, read(_Profile, (await read_body(request)).json)
        if wanted.username:
            bot.username = wanted.username
        return answer(shapes.own_user(bot))

    async def leave(self, request: web.Request) -> web.Response:
        self._sim.places.remove_member(find_guild(self._world, request), application_of(request).bot)
        return no_content()

    async def my_guilds(self, request: web.Request) -> web.Response:
        bot, limit = application_of(request).bot.id, limit_of(request, 200, 200)
        before, after = query_id(request, "before"), query_id(request, "after") or 0
        found = sorted(guild_id for guild_id in self._world.guilds.of_member(bot) if guild_id > after)
        if before is not None:
            found = [guild_id for guild_id in found if guild_id < before][-limit:]
        counted = query_flag(request, "with_counts")
        return answer([self._partial_guild(guild_id, bot, counted=counted) for guild_id in found[:limit]])

    def _partial_guild(self, guild_id: int, bot: int, *, counted: bool) -> Json:
        guild = self._world.guilds.peek(guild_id)
        members = {"approximate_member_count": guild.member_count, "approximate_presence_count": 0}
        return (members if counted else {}) | {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": str(in_guild(guild, guild.members[bot])),
            "features": [],
        }

    async def user(self, request: web.Request) -> web.Response:
        user = self._world.users.get(id_in(request, "user"))
        if user is None:
            raise ApiError(Code.UNKNOWN_USER)
        return answer(shapes.user(user))

    async def direct_channel(self, request: web.Request) -> web.Response:
        wanted = read(_Recipient, (await read_body(request)).json)
        user, application = self._world.users.get(wanted.recipient_id), application_of(request)
        if user is None:
            raise invalid("recipient_id", "INVALID_RECIPIENT", "Invalid Recipient(s)")
        if user is application.bot:
            raise ApiError(Code.CANNOT_DM)
        return answer(guild_shapes.channel(self._world.dm_with(application, user), viewer=application.bot.id))

    async def application(self, request: web.Request) -> web.Response:
        application = application_of(request)
        return answer(guild_shapes.application(application, self._guild_count(application)))

    async def refresh_urls(self, request: web.Request) -> web.Response:
        urls = read(_Urls, (await read_body(request)).json).attachment_urls
        refreshed = [{"original": url, "refreshed": self._sim.cdn.refresh(url)} for url in urls]
        return answer({"refreshed_urls": refreshed})
