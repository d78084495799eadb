"""Messages: history, sending, editing, deleting, reactions, typing."""

from __future__ import annotations

import re
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator

from discord_sim import permissions, shapes
from discord_sim.ids import seconds_of
from discord_sim.parts import Parts
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.drafts import read_changes, read_draft
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_channel, find_message, id_in, limit_of, query_id
from discord_sim.rest.validation import Snowflake, Wanted, distinct, read

_CHANNEL = API + "/channels/{channel}"
_MOST_PINS = 50
_MOST_EMOJI = 16
_EMOJI = re.compile(r"^(a:)?\w{2,32}:\d{1,20}$|^[0-9#*]\ufe0f?\u20e3$")
_BULK_AGE_SECONDS = 14 * 24 * 3600


class _BulkDelete(Wanted):
    messages: Annotated[list[Snowflake], AfterValidator(distinct)]


class Messages:
    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        one = _CHANNEL + "/messages/{message}"
        return [
            web.get(_CHANNEL + "/messages", self.history),
            web.post(_CHANNEL + "/messages", self.send),
            web.post(_CHANNEL + "/messages/bulk-delete", self.bulk_delete),
            web.get(_CHANNEL + "/messages/pins", self.pins),
            web.get(one, self.one),
            web.patch(one, self.edit),
            web.delete(one, self.delete),
            web.delete(one + "/reactions", self.clear_reactions),
            web.get(one + "/reactions/{emoji}", self.reactions),
            web.delete(one + "/reactions/{emoji}", self.clear_reactions),
            web.put(one + "/reactions/{emoji}/@me", self.react),
            web.delete(one + "/reactions/{emoji}/@me", self.unreact),
            web.delete(one + "/reactions/{emoji}/{user}", self.unreact_other),
            web.get(_CHANNEL + "/pins", self.pins),
            web.put(_CHANNEL + "/pins/{message}", self.pin),
            web.put(_CHANNEL + "/messages/pins/{message}", self.pin),
            web.delete(_CHANNEL + "/pins/{message}", self.unpin),
            web.delete(_CHANNEL + "/messages/pins/{message}", self.unpin),
            web.post(_CHANNEL + "/typing", self.typing),
        ]

    async def history(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request)
        granted = self._world.permissions(application_of(request).bot.id, channel)
        if not granted & permissions.READ_MESSAGE_HISTORY:
            return answer([])
        limit = limit_of(request, 50, 100)
        named = {name: query_id(request, name) for name in ("before", "after", "around")}
        if named["around"] is not None:
            page = channel.messages.around(limit, named["around"])
        else:
            page = channel.messages.page(limit, before=named["before"], after=named["after"])
        return answer([self._sim.shapes.message(message) for message in page])

    async def send(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.SEND_MESSAGES)
        body = await read_body(request)
        bot = application_of(request).bot
        granted = self._world.permissions(bot.id, channel)
        if body.files and not granted & permissions.ATTACH_FILES:
            raise ApiError(Code.MISSING_PERMISSIONS)
        draft = read_draft(body, self._sim.cdn, channel.id)
        if draft.embeds and not granted & permissions.EMBED_LINKS:
            raise ApiError(Code.MISSING_PERMISSIONS)
        if draft.reply_to is not None and channel.guild_id and not granted & permissions.READ_MESSAGE_HISTORY:
            raise ApiError(Code.CANNOT_REPLY)
        if draft.reply_to is not None and draft.reply_to not in channel.messages:
            if draft.reply_must_exist:
                unknown = "REPLIES_UNKNOWN_MESSAGE"
                raise invalid("message_reference", unknown, "Unknown message")
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
        present = message.attachments
        changes, mentions = read_changes(body, self._sim.cdn, channel.id, present, flags=message.flags)
        self._sim.chat.edit(channel, message, changes, mentions)
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
        wanted = read(_BulkDelete, (await read_body(request)).json).messages
        if not 2 <= len(wanted) <= 100:
            raise ApiError(Code.BULK_DELETE_COUNT)
        oldest = self._sim.clock.wall() - _BULK_AGE_SECONDS
        if any(seconds_of(message_id) < oldest for message_id in wanted):
            raise ApiError(Code.TOO_OLD_TO_BULK_DELETE)
        self._sim.chat.bulk_delete(channel, wanted)
        return no_content()

    async def reactions(self, request: web.Request) -> web.Response:
        """Who reacted with an emoji."""
        channel = find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        users = find_message(channel, request).reactions.get(_emoji(request), [])
        after = query_id(request, "after") or 0
        page = sorted(user_id for user_id in users if user_id > after)[: limit_of(request, 25, 100)]
        return answer([shapes.user(self._world.users[user_id]) for user_id in page])

    async def clear_reactions(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_MESSAGES)
        message = find_message(channel, request)
        emoji = _emoji(request) if "emoji" in request.match_info else None
        self._sim.chat.clear_reactions(channel, message, emoji)
        return no_content()

    async def unreact_other(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_MESSAGES)
        user = self._world.users.get(id_in(request, "user"))
        if user is None:
            raise ApiError(Code.UNKNOWN_USER)
        self._sim.chat.react(channel, find_message(channel, request), user, _emoji(request), add=False)
        return no_content()

    async def pins(self, request: web.Request) -> web.Response:
        """The pinned messages: a list, or of the newer route pages with the times they were pinned at."""
        channel = find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        found = [self._sim.shapes.message(message) for message in channel.messages.pinned()]
        if request.path.endswith("/messages/pins"):
            items = [{"pinned_at": message["timestamp"], "message": message} for message in found]
            return answer({"items": items[: limit_of(request, 50, 50)], "has_more": False})
        return answer(found)

    async def pin(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_MESSAGES)
        if len(channel.messages.pinned()) >= _MOST_PINS:
            raise ApiError(Code.MAX_PINS)
        self._sim.chat.pin(channel, find_message(channel, request), pinned=True)
        return no_content()

    async def unpin(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_MESSAGES)
        self._sim.chat.pin(channel, find_message(channel, request), pinned=False)
        return no_content()

    async def react(self, request: web.Request) -> web.Response:
        return self._reaction(request, add=True)

    async def unreact(self, request: web.Request) -> web.Response:
        return self._reaction(request, add=False)

    def _reaction(self, request: web.Request, *, add: bool) -> web.Response:
        channel = find_channel(self._world, request, permissions.READ_MESSAGE_HISTORY)
        message, emoji, bot = find_message(channel, request), _emoji(request), application_of(request).bot
        if add and emoji not in message.reactions:
            find_channel(self._world, request, permissions.ADD_REACTIONS)
        self._sim.chat.react(channel, message, bot, emoji, add=add)
        return no_content()

    async def typing(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.SEND_MESSAGES)
        self._sim.chat.typing(channel, application_of(request).bot)
        return no_content()


def _emoji(request: web.Request) -> str:
    """The emoji of the path: `name:id` of a custom one, else a character. Raises ApiError."""
    text = request.match_info["emoji"]
    if not _EMOJI.match(text) and (text.isascii() or len(text) > _MOST_EMOJI):
        raise ApiError(Code.UNKNOWN_EMOJI)
    return text
