"""The bot's answers to interactions, and its further messages by the interaction's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from discord_sim.interactions import AUTOCOMPLETE as AUTOCOMPLETED
from discord_sim.interactions import COMMAND, COMPONENT, Interaction
from discord_sim.rest.app import API, answer, no_content
from discord_sim.rest.bodies import Body, read_body
from discord_sim.rest.drafts import read_changes, read_draft
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import id_in
from discord_sim.state import Json, Message

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

_WEBHOOK = API + "/webhooks/{application}/{token}"


class InteractionAnswers:
    def __init__(self, sim: DiscordSim) -> None:
        self._sim = sim
        self._interactions = sim.interactions

    def routes(self) -> list[web.RouteDef]:
        message = _WEBHOOK + "/messages/{message}"
        return [
            web.post(API + "/interactions/{interaction}/{token}/callback", self.callback),
            web.post(_WEBHOOK, self.follow_up),
            web.get(message, self.one),
            web.patch(message, self.edit),
            web.delete(message, self.delete),
        ]

    async def callback(self, request: web.Request) -> web.Response:
        interaction = self._interactions.get(id_in(request, "interaction"))
        if interaction is None or interaction.token != request.match_info["token"]:
            raise ApiError(Code.UNKNOWN_INTERACTION)
        if interaction.acknowledged:
            raise ApiError(Code.ALREADY_ACKNOWLEDGED)
        if interaction.state == "failed" or self._interactions.is_late(interaction):
            raise ApiError(Code.UNKNOWN_INTERACTION)
        body = await read_body(request)
        kind = body.object.get("type")
        self._answer(interaction, kind, Body(body.object.get("data") or {}, body.files))
        if request.query.get("with_response") != "true":
            return no_content()
        return answer(self._result(interaction, kind))

    def _answer(self, interaction: Interaction, kind: object, data: Body) -> None:
        channel_id, cdn = interaction.channel.id, self._sim.cdn
        match kind:
            case 4 if interaction.type != AUTOCOMPLETED:
                self._interactions.answer(interaction, read_draft(data, cdn, channel_id))
            case 5 if interaction.type != AUTOCOMPLETED:
                self._interactions.defer(interaction, flags=int(data.object.get("flags") or 0))
            case 6 if interaction.type == COMPONENT:
                self._interactions.update_source(interaction, None)
            case 7 if interaction.source is not None:
                changes = read_changes(data, cdn, channel_id, interaction.source.attachments)
                self._interactions.update_source(interaction, changes, data.object.get("allowed_mentions"))
            case 8 if interaction.type == AUTOCOMPLETED:
                self._interactions.complete(interaction, data.object)
            case 9 if interaction.type in (COMMAND, COMPONENT):
                self._interactions.show_modal(interaction, data.object)
            case _:
                raise invalid("type", "BASE_TYPE_CHOICES", "This interaction cannot be answered like that.")

    def _result(self, interaction: Interaction, kind: object) -> Json:
        message = interaction.response
        resource: Json = {"type": kind}
        if message is not None:
            resource["message"] = self._sim.shapes.message(message)
        return {
            "interaction": {
                "id": str(interaction.id),
                "type": interaction.type,
                "response_message_id": str(message.id) if message else None,
                "response_message_loading": interaction.state == "deferred",
                "response_message_ephemeral": interaction.ephemeral,
            },
            "resource": resource,
        }

    def _find(self, request: web.Request) -> Interaction:
        interaction = self._interactions.by_token(request.match_info["token"])
        if interaction is None:
            raise ApiError(Code.INVALID_TOKEN)
        if interaction.application.id != id_in(request, "application") or not interaction.acknowledged:
            raise ApiError(Code.UNKNOWN_WEBHOOK)
        return interaction

    def _message(self, request: web.Request) -> tuple[Interaction, Message]:
        interaction = self._find(request)
        message = self._interactions.message(interaction, request.match_info["message"])
        if message is None:
            raise ApiError(Code.UNKNOWN_MESSAGE)
        return interaction, message

    async def follow_up(self, request: web.Request) -> web.Response:
        interaction = self._find(request)
        draft = read_draft(await read_body(request), self._sim.cdn, interaction.channel.id)
        return answer(self._sim.shapes.message(self._interactions.follow_up(interaction, draft)))

    async def one(self, request: web.Request) -> web.Response:
        return answer(self._sim.shapes.message(self._message(request)[1]))

    async def edit(self, request: web.Request) -> web.Response:
        interaction, message = self._message(request)
        body = await read_body(request)
        changes = read_changes(body, self._sim.cdn, interaction.channel.id, message.attachments)
        self._interactions.edit(interaction, message, changes, body.object.get("allowed_mentions"))
        return answer(self._sim.shapes.message(message))

    async def delete(self, request: web.Request) -> web.Response:
        self._interactions.delete(*self._message(request))
        return no_content()
