"""The bot's answers to interactions, and its further messages by the interaction's token."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from discord_sim.interaction_shapes import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from discord_sim.parts import Parts
from discord_sim.rest.app import API, answer, no_content
from discord_sim.rest.bodies import Body, read_body
from discord_sim.rest.command_bodies import Choice
from discord_sim.rest.component_bodies import CustomId
from discord_sim.rest.components import read_modal_components
from discord_sim.rest.drafts import read_changes, read_draft
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import id_in, query_flag
from discord_sim.rest.validation import Wanted, read
from discord_sim.rest.webhooks import Webhooks
from discord_sim.state import Json, Message

_WEBHOOK = API + "/webhooks/{webhook}/{token}"
_ANSWERS = {
    4: (COMMAND, COMPONENT, MODAL),
    5: (COMMAND, COMPONENT, MODAL),
    6: (COMPONENT, MODAL),
    7: (COMPONENT, MODAL),
    8: (AUTOCOMPLETE,),
    9: (COMMAND, COMPONENT),
}
"""Which kinds of interaction each kind of answer fits."""


class _Choices(Wanted):
    choices: Annotated[list[Choice], Field(max_length=25)]


class _Modal(Wanted):
    custom_id: CustomId
    title: Annotated[str, StringConstraints(min_length=1, max_length=45)]


class _Deferral(Wanted):
    flags: Annotated[int, Field(ge=0, le=0x7FFFFFFF)] | None = None


class InteractionAnswers:
    def __init__(self, sim: Parts, webhooks: Webhooks) -> None:
        self._sim = sim
        self._interactions = sim.interactions
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        message, original = _WEBHOOK + "/messages/{message}", _WEBHOOK + "/messages/@original"
        return [
            web.post(API + "/interactions/{interaction}/{token}/callback", self.callback),
            web.get(_WEBHOOK, self._webhooks.one),
            web.patch(_WEBHOOK, self._webhooks.edit),
            web.delete(_WEBHOOK, self._webhooks.delete),
            web.post(_WEBHOOK, self.follow_up),
            web.get(original, self.one),
            web.patch(original, self.edit),
            web.delete(original, self.delete),
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
        if not isinstance(kind, int) or interaction.type not in _ANSWERS.get(kind, ()):
            raise invalid("type", "BASE_TYPE_CHOICES", "This interaction cannot be answered like that.")
        self._answer(interaction, kind, Body(body.object.get("data") or {}, body.files))
        if not query_flag(request, "with_response"):
            return no_content()
        return answer(self._result(interaction, kind))

    def _answer(self, interaction: Interaction, kind: int, data: Body) -> None:
        """Raises ApiError, and changes nothing then: an answer that was refused may be given again."""
        channel_id, cdn = interaction.channel.id, self._sim.cdn
        if kind == 7 and interaction.source is None:
            raise invalid("type", "BASE_TYPE_CHOICES", "There is no message to update.")
        match kind:
            case 4:
                self._interactions.answer(interaction, read_draft(data, cdn, channel_id))
            case 5:
                self._interactions.defer(interaction, flags=read(_Deferral, data.json).flags or 0)
            case 6:
                self._interactions.update_source(interaction, None)
            case 7:
                source = interaction.source
                assert source is not None
                changes, mentions = read_changes(data, cdn, channel_id, source.attachments, flags=source.flags)
                self._interactions.update_source(interaction, changes, mentions)
            case 8:
                read(_Choices, data.json, "data")
                self._interactions.complete(interaction, data.object)
            case _:
                modal = read(_Modal, data.json, "data")
                parts = read_modal_components(data.object.get("components"))
                shown = {"custom_id": modal.custom_id, "title": modal.title, "components": parts}
                self._interactions.show_modal(interaction, shown)

    def _result(self, interaction: Interaction, kind: int) -> Json:
        message = interaction.response
        about: Json = {"id": str(interaction.id), "type": interaction.type}
        if message is None:
            return {"interaction": about}
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": interaction.state == "deferred",
            "response_message_ephemeral": interaction.ephemeral,
        }
        if kind not in (4, 7):
            return {"interaction": about}
        return {"interaction": about, "resource": {"type": kind, "message": self._sim.shapes.message(message)}}

    def _find(self, request: web.Request) -> Interaction:
        interaction = self._interactions.by_token(request.match_info["token"])
        if interaction is None:
            known = id_in(request, "webhook") in self._sim.world.applications
            raise ApiError(Code.INVALID_TOKEN if known else Code.UNKNOWN_WEBHOOK)
        if interaction.application.id != id_in(request, "webhook") or not interaction.acknowledged:
            raise ApiError(Code.UNKNOWN_WEBHOOK)
        return interaction

    def _message(self, request: web.Request) -> tuple[Interaction, Message]:
        interaction = self._find(request)
        message = self._interactions.message(interaction, request.match_info.get("message", "@original"))
        if message is None:
            raise ApiError(Code.UNKNOWN_MESSAGE)
        return interaction, message

    async def follow_up(self, request: web.Request) -> web.Response:
        if self._webhooks.has(request):
            return await self._webhooks.execute(request)
        interaction = self._find(request)
        draft = read_draft(await read_body(request), self._sim.cdn, interaction.channel.id)
        return answer(self._sim.shapes.message(self._interactions.follow_up(interaction, draft)))

    async def one(self, request: web.Request) -> web.Response:
        if self._webhooks.has(request):
            return await self._webhooks.message(request)
        return answer(self._sim.shapes.message(self._message(request)[1]))

    async def edit(self, request: web.Request) -> web.Response:
        if self._webhooks.has(request):
            return await self._webhooks.edit_message(request)
        interaction, message = self._message(request)
        body = await read_body(request)
        channel_id, present = interaction.channel.id, message.attachments
        changes, mentions = read_changes(body, self._sim.cdn, channel_id, present, flags=message.flags)
        self._interactions.edit(interaction, message, changes, mentions)
        return answer(self._sim.shapes.message(message))

    async def delete(self, request: web.Request) -> web.Response:
        if self._webhooks.has(request):
            return await self._webhooks.delete_message(request)
        self._interactions.delete(*self._message(request))
        return no_content()
