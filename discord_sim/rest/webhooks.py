"""Webhooks of channels: names that write without being members."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from discord_sim import permissions, shapes
from discord_sim.parts import Parts
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.drafts import read_changes, read_draft, read_new
from discord_sim.rest.errors import ApiError, Code
from discord_sim.rest.find import find_channel, find_guild, id_in, query_flag
from discord_sim.rest.guild_bodies import NewWebhook, WebhookChanges
from discord_sim.rest.message_bodies import WebhookMessage
from discord_sim.rest.validation import read
from discord_sim.state import Application, Channel, Json, Message, User

_INCOMING = 1


@dataclass(slots=True)
class Webhook:
    id: int
    token: str
    name: str
    channel: Channel
    made_by: Application


class Webhooks:
    """The routes for their owners, and what a request with a webhook's token does; interactions have their own."""

    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world
        self._webhooks: dict[int, Webhook] = {}

    def routes(self) -> list[web.RouteDef]:
        of_channel, one = API + "/channels/{channel}/webhooks", API + "/webhooks/{webhook}"
        return [
            web.get(of_channel, self.of_channel),
            web.post(of_channel, self.add),
            web.get(API + "/guilds/{guild}/webhooks", self.of_guild),
            web.get(one, self.one),
            web.patch(one, self.edit),
            web.delete(one, self.delete),
        ]

    # --- by their owners ---------------------------------------------------------------------------------------

    async def of_channel(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_WEBHOOKS)
        return answer([self.shape(item) for item in self._webhooks.values() if item.channel is channel])

    async def of_guild(self, request: web.Request) -> web.Response:
        guild = find_guild(self._world, request)
        bot = guild.members[application_of(request).bot.id]
        if not permissions.in_guild(guild, bot) & permissions.MANAGE_WEBHOOKS:
            raise ApiError(Code.MISSING_PERMISSIONS)
        return answer([self.shape(item) for item in self._webhooks.values() if item.channel.guild_id == guild.id])

    async def add(self, request: web.Request) -> web.Response:
        channel = find_channel(self._world, request, permissions.MANAGE_WEBHOOKS)
        if channel.guild_id is None or channel.is_thread:
            raise ApiError(Code.WRONG_CHANNEL_TYPE)
        wanted = read(NewWebhook, (await read_body(request)).json)
        made = Webhook(self._world.ids.next(), secrets.token_urlsafe(51), wanted.name, channel, application_of(request))
        self._webhooks[made.id] = made
        return answer(self.shape(made))

    def _find(self, request: web.Request) -> Webhook:
        """The webhook of the path, for its token or for a bot that manages webhooks there."""
        found = self._webhooks.get(id_in(request, "webhook"))
        if found is None:
            raise ApiError(Code.UNKNOWN_WEBHOOK)
        if "token" in request.match_info:
            if not secrets.compare_digest(request.match_info["token"].encode(), found.token.encode()):
                raise ApiError(Code.INVALID_TOKEN)
            return found
        application = self._world.by_token(request.headers.get("Authorization", "").removeprefix("Bot "))
        if application is None:
            raise ApiError(Code.UNAUTHORIZED)
        if not self._world.permissions(application.bot.id, found.channel) & permissions.MANAGE_WEBHOOKS:
            raise ApiError(Code.MISSING_PERMISSIONS)
        return found

    async def one(self, request: web.Request) -> web.Response:
        return answer(self.shape(self._find(request)))

    async def edit(self, request: web.Request) -> web.Response:
        webhook, wanted = self._find(request), read(WebhookChanges, (await read_body(request)).json)
        webhook.name = wanted.name or webhook.name
        if wanted.channel_id is not None and wanted.channel_id in self._world.channels:
            webhook.channel = self._world.channels[wanted.channel_id]
        return answer(self.shape(webhook))

    async def delete(self, request: web.Request) -> web.Response:
        del self._webhooks[self._find(request).id]
        return no_content()

    def shape(self, of: Webhook) -> Json:
        return {
            "id": str(of.id),
            "type": _INCOMING,
            "name": of.name,
            "avatar": None,
            "channel_id": str(of.channel.id),
            "guild_id": str(of.channel.guild_id),
            "application_id": str(of.made_by.id),
            "user": shapes.user(of.made_by.bot),
            "token": of.token,
            "url": f"{self._sim.public_url}/api/webhooks/{of.id}/{of.token}",
        }

    # --- by their token ----------------------------------------------------------------------------------------

    def has(self, request: web.Request) -> bool:
        """Whether the path's token belongs to a webhook, and not to an interaction."""
        return id_in(request, "webhook") in self._webhooks

    async def execute(self, request: web.Request) -> web.Response:
        webhook, body = self._find(request), await read_body(request)
        wanted = read_new(body, WebhookMessage)
        draft = read_draft(body, self._sim.cdn, webhook.channel.id, WebhookMessage)
        draft.webhook_id, draft.application_id = webhook.id, webhook.made_by.id
        author = User(webhook.id, wanted.username or webhook.name, bot=True)
        message = self._sim.chat.post(webhook.channel, author, draft)
        if not query_flag(request, "wait"):
            return no_content()
        return answer(self._sim.shapes.message(message))

    def _own(self, request: web.Request) -> tuple[Webhook, Message]:
        webhook = self._find(request)
        message = webhook.channel.messages.get(id_in(request, "message"))
        if message is None or message.webhook_id != webhook.id:
            raise ApiError(Code.UNKNOWN_MESSAGE)
        return webhook, message

    async def message(self, request: web.Request) -> web.Response:
        return answer(self._sim.shapes.message(self._own(request)[1]))

    async def edit_message(self, request: web.Request) -> web.Response:
        webhook, message = self._own(request)
        body, present = await read_body(request), message.attachments
        changes, mentions = read_changes(body, self._sim.cdn, webhook.channel.id, present, flags=message.flags)
        self._sim.chat.edit(webhook.channel, message, changes, mentions)
        return answer(self._sim.shapes.message(message))

    async def delete_message(self, request: web.Request) -> web.Response:
        webhook, message = self._own(request)
        self._sim.chat.delete(webhook.channel, message.id)
        return no_content()
