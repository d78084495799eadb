"""The routes of the control API. IDs are text everywhere; what is wrong with a request comes back as `message`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim.chat import Draft
from discord_sim.control.acts import Acts
from discord_sim.control.shapes import channel_shape, guild_shape, member_shape
from discord_sim.ids import parse_snowflake
from discord_sim.permissions import THREAD_TYPES
from discord_sim.places import NewChannel, NewMember
from discord_sim.rest.app import answer, no_content
from discord_sim.rest.bodies import Body, read_body
from discord_sim.rest.drafts import store_files
from discord_sim.rest.errors import ApiError, Code
from discord_sim.rest.find import limit_of
from discord_sim.state import TEXT, Channel, Guild, Json, Message, User

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

_YIELD_EVERY = 200
"""Messages of a batch after which others get their turn."""


class Control:
    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim
        self._world = sim.world
        self._acts = Acts(sim.world, sim.cdn, sim.interactions)

    def routes(self) -> list[web.RouteDef]:
        channel, message = "/sim/channels/{channel}", "/sim/channels/{channel}/messages/{message}"
        return [
            web.get("/sim/state", self.state),
            web.post("/sim/guilds", self.add_guild),
            web.post("/sim/guilds/{guild}/channels", self.add_channel),
            web.post("/sim/guilds/{guild}/members", self.add_member),
            web.post("/sim/guilds/{guild}/outage", self.outage),
            web.get("/sim/guilds/{guild}/commands", self.commands),
            web.delete(channel, self.delete_channel),
            web.get(channel + "/messages", self.history),
            web.post(channel + "/messages", self.post),
            web.post(channel + "/messages/batch", self.post_batch),
            web.post(channel + "/messages/bulk-delete", self.bulk_delete),
            web.patch(message, self.edit),
            web.delete(message, self.delete),
            web.post(channel + "/interactions", self.use_command),
            web.get("/sim/interactions/{interaction}", self.interaction),
            web.post("/sim/interactions/{interaction}/modal", self.submit_modal),
            web.post("/sim/messages/{message}/components", self.use_component),
            web.get("/sim/live", self._sim.live.handle),
            web.get("/sim/sessions", self.sessions),
            web.post("/sim/faults", self.add_faults),
            web.post("/sim/clock", self.advance),
            web.get("/sim/log", self.log),
        ]

    # --- what is there ---------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.Response:
        bot = next(iter(self._world.applications.values())).bot
        guilds = [guild_shape(guild) for guild in self._world.guilds.values()]
        return answer({"bot": {"id": str(bot.id), "username": bot.username}, "guilds": guilds})

    def _guild(self, request: web.Request) -> Guild:
        guild = self._world.guilds.get(parse_snowflake(request.match_info["guild"]) or 0)
        if guild is None:
            raise ApiError(Code.UNKNOWN_GUILD)
        return guild

    def _channel(self, request: web.Request) -> Channel:
        channel = self._world.channels.get(parse_snowflake(request.match_info["channel"]) or 0)
        if channel is None:
            raise ApiError(Code.UNKNOWN_CHANNEL)
        return channel

    def _message(self, request: web.Request) -> tuple[Channel, Message]:
        channel = self._channel(request)
        message = channel.messages.get(parse_snowflake(request.match_info["message"]) or 0)
        if message is None:
            raise ApiError(Code.UNKNOWN_MESSAGE)
        return channel, message

    def _user(self, value: object) -> User:
        user = self._world.users.get(parse_snowflake(value) or 0)
        if user is None:
            raise ApiError(Code.UNKNOWN_USER)
        return user

    # --- places ----------------------------------------------------------------------------------------------

    async def add_guild(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        channels = [_new_channel(item) for item in wanted.get("channels") or [{"name": "general"}]]
        members = [_new_member(item) for item in wanted.get("members") or ()]
        guild = self._sim.places.add_guild(
            wanted["name"], channels, members, guild_id=parse_snowflake(wanted.get("id"))
        )
        return answer(guild_shape(guild), 201)

    async def add_channel(self, request: web.Request) -> web.Response:
        new = _new_channel((await read_body(request)).object)
        return answer(channel_shape(self._sim.places.add_channel(self._guild(request), new)), 201)

    async def delete_channel(self, request: web.Request) -> web.Response:
        self._sim.places.delete_channel(self._channel(request))
        return no_content()

    async def add_member(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        member = self._sim.places.add_member(guild, _new_member((await read_body(request)).object))
        return answer(member_shape(guild, member), 201)

    async def outage(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        self._sim.places.set_unavailable(self._guild(request), unavailable=bool(wanted["unavailable"]))
        return no_content()

    async def commands(self, request: web.Request) -> web.Response:
        guild = self._guild(request)
        found = [
            command
            for application in self._world.applications.values()
            if application.bot.id in guild.members
            for scope in (None, guild.id)
            for command in application.commands.get(scope, {}).values()
        ]
        return answer(found)

    # --- messages --------------------------------------------------------------------------------------------

    async def history(self, request: web.Request) -> web.Response:
        page = self._channel(request).page(
            limit_of(request, 50, 100), before=parse_snowflake(request.query.get("before"))
        )
        return answer([self._sim.shapes.message(message) for message in page])

    async def post(self, request: web.Request) -> web.Response:
        channel, body = self._channel(request), await read_body(request)
        message = self._post(channel, body.object, body)
        return answer(self._sim.shapes.message(message), 201)

    async def post_batch(self, request: web.Request) -> web.Response:
        channel, wanted = self._channel(request), (await read_body(request)).object
        posted = []
        for number, item in enumerate(wanted["messages"], start=1):
            message = self._post(channel, item, None, dispatch=bool(wanted.get("dispatch", True)))
            posted.append({"id": str(message.id), "content": message.content})
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return answer({"messages": posted}, 201)

    def _post(self, channel: Channel, wanted: Json, body: Body | None, *, dispatch: bool = True) -> Message:
        content = wanted.get("content") or ""
        if not isinstance(content, str) or len(content) > 4000:
            raise ValueError("`content` is text of at most 4,000 characters")
        files = store_files(body, self._sim.cdn, channel.id) if body else []
        if not content.strip() and not files:
            raise ApiError(Code.EMPTY_MESSAGE)
        draft = Draft(
            content,
            attachments=files,
            reply_to=parse_snowflake(wanted.get("reply_to")),
            message_id=parse_snowflake(wanted.get("id")),
        )
        return self._sim.chat.post(channel, self._user(wanted["author"]), draft, dispatch=dispatch)

    async def edit(self, request: web.Request) -> web.Response:
        channel, message = self._message(request)
        content = (await read_body(request)).object["content"]
        self._sim.chat.edit(channel, message, {"content": str(content)})
        return answer(self._sim.shapes.message(message))

    async def delete(self, request: web.Request) -> web.Response:
        channel, message = self._message(request)
        self._sim.chat.delete(channel, message.id)
        return no_content()

    async def bulk_delete(self, request: web.Request) -> web.Response:
        wanted = [parse_snowflake(item) or 0 for item in (await read_body(request)).object["ids"]]
        gone = self._sim.chat.bulk_delete(self._channel(request), wanted)
        return answer({"ids": [str(message_id) for message_id in gone]})

    # --- interactions ----------------------------------------------------------------------------------------

    async def use_command(self, request: web.Request) -> web.Response:
        channel, body = self._channel(request), await read_body(request)
        wanted = body.object
        interaction = self._acts.command(
            channel, self._user(wanted["user"]), wanted["command"], wanted.get("options") or {}, body.files
        )
        return answer({"id": str(interaction.id), "token": interaction.token}, 201)

    async def use_component(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        message_id = parse_snowflake(request.match_info["message"]) or 0
        interaction = self._acts.component(
            message_id, self._user(wanted["user"]), wanted["custom_id"], wanted.get("values")
        )
        return answer({"id": str(interaction.id), "token": interaction.token}, 201)

    async def submit_modal(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        shown = parse_snowflake(request.match_info["interaction"]) or 0
        interaction = self._acts.modal(shown, self._user(wanted["user"]), wanted["values"])
        return answer({"id": str(interaction.id), "token": interaction.token}, 201)

    async def interaction(self, request: web.Request) -> web.Response:
        found = self._sim.interactions.get(parse_snowflake(request.match_info["interaction"]) or 0)
        if found is None:
            raise ApiError(Code.UNKNOWN_INTERACTION)
        return answer(self._sim.interactions.describe(found))

    # --- what happens, and what is to go wrong ---------------------------------------------------------------

    async def sessions(self, request: web.Request) -> web.Response:
        return answer(self._sim.gateway.sessions.describe())

    async def add_faults(self, request: web.Request) -> web.Response:
        return answer({"disconnected": self._sim.faults.add((await read_body(request)).object)})

    async def advance(self, request: web.Request) -> web.Response:
        self._sim.clock.advance(float((await read_body(request)).object["seconds"]))
        return no_content()

    async def log(self, request: web.Request) -> web.Response:
        since = parse_snowflake(request.query.get("since")) or 0
        return answer(self._sim.journal.since(since, request.query.get("kind")))


def _new_channel(wanted: Json) -> NewChannel:
    kind = int(wanted.get("type", TEXT))
    parent = parse_snowflake(wanted.get("parent_id"))
    if kind in THREAD_TYPES and parent is None:
        raise ValueError("a thread needs `parent_id`")
    return NewChannel(
        wanted["name"], bool(wanted.get("nsfw")), parse_snowflake(wanted.get("id")), type=kind, parent_id=parent
    )


def _new_member(wanted: Json) -> NewMember:
    return NewMember(wanted["username"], bool(wanted.get("admin")), parse_snowflake(wanted.get("id")))


def control_routes(sim: DiscordSim) -> list[web.RouteDef]:
    return Control(sim).routes()
