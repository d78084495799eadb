"""Messages: history, sending, editing, deleting, reactions, typing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim import permissions
from discord_sim.ids import parse_snowflake, seconds_of
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.drafts import read_changes, read_draft
from discord_sim.rest.errors import ApiError, Code
from discord_sim.rest.find import find_channel, find_message, limit_of

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

_CHANNEL = API + "/channels/{channel}"
_BULK_AGE_SECONDS = 14 * 24 * 3600


class Messages:
    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        one = _CHANNEL + "/messages/{message}"
        return [
            web.get(_CHANNEL + "/messages", self.history),
            web.post(_CHANNEL + "/messages", self.send),
            web.post(_CHANNEL + "/messages/bulk-delete", self.bulk_delete),
            web.get(one, self.one),
            web.patch(one, self.edit),
            web.delete(one, self.delete),
            web.put(one + "/reactions/{emoji}/@me", self.react),
            web.delete(one + "/reactions/{emoji}/@me", self.unreact),
            web.post(_CHANNEL + "/typing", self.typing),
        ]

    async def history(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        granted = self._world.permissions(application_of(request).bot.id, channel)
        if not granted & permissions.READ_MESSAGE_HISTORY:
            return answer([])
        limit = limit_of(request, 50, 100)
        named = {name: parse_snowflake(request.query.get(name)) for name in ("before", "after", "around")}
        if named["around"] is not None:
            page = channel.messages.around(limit, named["around"])
        else:
            page = channel.messages.page(limit, before=named["before"], after=named["after"])
        return answer([self._sim.shapes.message(message) for message in page])

    async def send(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.SEND_MESSAGES)
        body = await read_body(request)
        bot = application_of(request).bot
        if body.files and not self._world.permissions(bot.id, channel) & permissions.ATTACH_FILES:
            raise ApiError(Code.MISSING_PERMISSIONS)
        draft = read_draft(body, self._sim.cdn, channel.id)
        reference = body.object.get("message_reference") or {}
        if draft.reply_to is not None and draft.reply_to not in channel.messages:
            if reference.get("fail_if_not_exists", True):
                raise ApiError(Code.UNKNOWN_MESSAGE)
            draft.reply_to = None
        return answer(self._sim.shapes.message(self._sim.chat.post(channel, bot, draft)))

    async def one(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        return answer(self._sim.shapes.message(find_message(channel, request)))

    async def edit(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        message = find_message(channel, request)
        if message.author is not application_of(request).bot:
            raise ApiError(Code.CANNOT_EDIT_OTHERS)
        body = await read_body(request)
        changes = read_changes(body, self._sim.cdn, channel.id, message.attachments)
        self._sim.chat.edit(channel, message, changes, body.object.get("allowed_mentions"))
        return answer(self._sim.shapes.message(message))

    async def delete(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        message = find_message(channel, request)
        bot = application_of(request).bot
        if message.author is not bot and not self._world.permissions(bot.id, channel) & permissions.MANAGE_MESSAGES:
            raise ApiError(Code.MISSING_PERMISSIONS)
        self._sim.chat.delete(channel, message.id)
        return no_content()

    async def bulk_delete(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_MESSAGES)
        wanted = [parse_snowflake(item) or 0 for item in (await read_body(request)).object.get("messages") or ()]
        if not 2 <= len(wanted) <= 100:
            raise ApiError(Code.BULK_DELETE_COUNT)
        oldest = self._sim.clock.wall() - _BULK_AGE_SECONDS
        if any(seconds_of(message_id) < oldest for message_id in wanted):
            raise ApiError(Code.TOO_OLD_TO_BULK_DELETE)
        self._sim.chat.bulk_delete(channel, wanted)
        return no_content()

    async def react(self, request: web.Request) -> web.Response:
        return self._reaction(request, add=True)

    async def unreact(self, request: web.Request) -> web.Response:
        return self._reaction(request, add=False)

    def _reaction(self, request: web.Request, *, add: bool) -> web.Response:
        channel = find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        message = find_message(channel, request)
        self._sim.chat.react(channel, message, application_of(request).bot, request.match_info["emoji"], add=add)
        return no_content()

    async def typing(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.SEND_MESSAGES)
        self._sim.chat.typing(channel, application_of(request).bot)
        return no_content()
