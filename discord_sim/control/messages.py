"""The control API's routes for messages: what members write, change, delete and see."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from discord_sim import permissions
from discord_sim.chat import Draft
from discord_sim.control.base import ControlPart
from discord_sim.history import GeneratedHistory, read_lines
from discord_sim.ids import parse_snowflake
from discord_sim.rest.app import answer, no_content
from discord_sim.rest.bodies import Body, read_body
from discord_sim.rest.drafts import store_files
from discord_sim.rest.errors import ApiError, Code
from discord_sim.rest.find import limit_of
from discord_sim.state import Channel, Json, Message, User

_CHANNEL = "/sim/channels/{channel}"
_YIELD_EVERY = 200
"""Messages of a batch after which others get their turn."""
_MOST_CHARACTERS = 4000
_DAY = 86_400.0


class MessageRoutes(ControlPart):
    def routes(self) -> list[web.RouteDef]:
        messages, message = _CHANNEL + "/messages", _CHANNEL + "/messages/{message}"
        return [
            web.get(messages, self.history),
            web.post(messages, self.post),
            web.post(messages + "/batch", self.post_batch),
            web.post(messages + "/bulk-delete", self.bulk_delete),
            web.post(_CHANNEL + "/history", self.generate),
            web.post(_CHANNEL + "/typing", self.typing),
            web.get(message, self.one),
            web.patch(message, self.edit),
            web.delete(message, self.delete),
            web.post(message + "/embeds", self.add_embeds),
            web.put(message + "/reactions/{emoji}", self.react),
            web.delete(message + "/reactions/{emoji}", self.unreact),
            web.put(message + "/pin", self.pin),
            web.delete(message + "/pin", self.unpin),
        ]

    # --- seeing ------------------------------------------------------------------------------------------------

    async def history(self, request: web.Request) -> web.Response:
        """A page, newest first. With `user`, as that member sees it: their ephemeral messages too, or an error."""
        channel, limit = self._channel(request), limit_of(request, 50, 100)
        at = {name: parse_snowflake(request.query.get(name)) for name in ("before", "after", "around")}
        if at["around"] is not None:
            page = channel.messages.around(limit, at["around"])
        else:
            page = channel.messages.page(limit, before=at["before"], after=at["after"])
        if "user" in request.query:
            page = self._with_ephemeral(page, channel, self._user(request.query["user"]), at["before"], limit)
        return answer([self._sim.shapes.message(message) for message in page])

    def _with_ephemeral(
        self, page: list[Message], channel: Channel, user: User, before: int | None, limit: int
    ) -> list[Message]:
        needed = permissions.VIEW_CHANNEL | permissions.READ_MESSAGE_HISTORY
        if self._world.permissions(user.id, channel) & needed != needed:
            raise ApiError(Code.MISSING_ACCESS)
        oldest = page[-1].id if page else 0
        own = self._sim.interactions.seen_by(user, channel)
        shown = [m for m in own if m.id >= oldest and (before is None or m.id < before)]
        return sorted([*page, *shown], key=lambda m: m.id, reverse=True)[: limit + len(shown)]

    async def one(self, request: web.Request) -> web.Response:
        return answer(self._sim.shapes.message(self._message(request)[1]))

    # --- writing -----------------------------------------------------------------------------------------------

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
        if not isinstance(content, str) or len(content) > _MOST_CHARACTERS:
            raise ValueError(f"`content` is text of at most {_MOST_CHARACTERS:,} characters")
        author, webhook_id = self._author(channel, wanted, dispatch=dispatch)
        files = store_files(body, self._sim.cdn, channel.id) if body else []
        if not content.strip() and not files and "type" not in wanted:
            raise ApiError(Code.EMPTY_MESSAGE)
        draft = Draft(
            content,
            attachments=files,
            reply_to=parse_snowflake(wanted.get("reply_to")),
            message_id=parse_snowflake(wanted.get("id")),
            webhook_id=webhook_id,
            type=wanted.get("type"),
            nonce=wanted.get("nonce"),
            enforce_nonce=bool(wanted.get("enforce_nonce")),
        )
        return self._sim.chat.post(channel, author, draft, dispatch=dispatch)

    def _author(self, channel: Channel, wanted: Json, *, dispatch: bool) -> tuple[User, int | None]:
        """Who writes, and as which webhook: a member who may write here, or the name in `webhook`."""
        if name := wanted.get("webhook"):
            user = self._world.add_user(str(name), bot=True)
            return user, user.id
        user = self._user(wanted["author"])
        granted = self._world.permissions(user.id, channel)
        needed = permissions.VIEW_CHANNEL | permissions.SEND_MESSAGES
        if dispatch and granted & needed != needed:
            raise ApiError(Code.MISSING_PERMISSIONS)
        return user, None

    async def edit(self, request: web.Request) -> web.Response:
        """New `content`; with `user`, only by its author."""
        channel, message = self._message(request)
        wanted = (await read_body(request)).object
        if "user" in wanted and self._user(wanted["user"]) is not message.author:
            raise ApiError(Code.CANNOT_EDIT_OTHERS)
        self._sim.chat.edit(channel, message, {"content": str(wanted["content"])})
        return answer(self._sim.shapes.message(message))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete it; with `?user=`, only by its author or by those who manage messages."""
        channel, message = self._message(request)
        if "user" in request.query:
            user = self._user(request.query["user"])
            granted = self._world.permissions(user.id, channel)
            if user is not message.author and not granted & permissions.MANAGE_MESSAGES:
                raise ApiError(Code.MISSING_PERMISSIONS)
        self._sim.chat.delete(channel, message.id)
        return no_content()

    async def bulk_delete(self, request: web.Request) -> web.Response:
        wanted = [parse_snowflake(item) or 0 for item in (await read_body(request)).object["ids"]]
        gone = self._sim.chat.bulk_delete(self._channel(request), wanted)
        return answer({"ids": [str(message_id) for message_id in gone]})

    async def add_embeds(self, request: web.Request) -> web.Response:
        """A link's preview: MESSAGE_UPDATE for `embeds` alone, with `partial` holding little else."""
        channel, message = self._message(request)
        wanted = (await read_body(request)).object
        self._sim.chat.unfurl(channel, message, list(wanted["embeds"]), partial=bool(wanted.get("partial")))
        return answer(self._sim.shapes.message(message))

    async def typing(self, request: web.Request) -> web.Response:
        user = self._user((await read_body(request)).object["user"])
        self._sim.chat.typing(self._channel(request), user)
        return no_content()

    async def react(self, request: web.Request) -> web.Response:
        return self._react(request, add=True)

    async def unreact(self, request: web.Request) -> web.Response:
        return self._react(request, add=False)

    def _react(self, request: web.Request, *, add: bool) -> web.Response:
        channel, message = self._message(request)
        user = self._user(request.query.get("user"))
        self._sim.chat.react(channel, message, user, request.match_info["emoji"], add=add)
        return no_content()

    async def pin(self, request: web.Request) -> web.Response:
        self._sim.chat.pin(*self._message(request), pinned=True)
        return no_content()

    async def unpin(self, request: web.Request) -> web.Response:
        self._sim.chat.pin(*self._message(request), pinned=False)
        return no_content()

    # --- histories ---------------------------------------------------------------------------------------------

    async def generate(self, request: web.Request) -> web.Response:
        """A history of `count` messages that takes no memory, from `days` days ago until a minute ago."""
        channel, wanted = self._channel(request), (await read_body(request)).object
        guild = self._world.guild_of(channel)
        named = [self._user(item) for item in wanted.get("authors") or ()]
        people = [m.user for m in guild.members.values() if not m.user.bot] if guild else channel.recipients
        lines = list(wanted.get("lines") or ())
        if "file" in wanted:
            lines = await asyncio.to_thread(read_lines, Path(str(wanted["file"])))
        last = self._sim.clock.wall() - 60
        count = int(wanted["count"])
        days = max(float(wanted.get("days", 365)), count / 1000 / _DAY + 1)
        channel.messages.past = GeneratedHistory(
            channel.id, named or people, count, first=last - days * _DAY, last=last, seed=int(wanted.get("seed", 0)),
            lines=lines,
        )  # fmt: skip
        page = channel.messages.page(1)
        return answer({"count": len(channel.messages), "newest": str(page[0].id)}, 201)
