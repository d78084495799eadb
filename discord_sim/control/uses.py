"""The control API's routes for commands and components: a member uses them, and sees what became of it."""

from __future__ import annotations

from aiohttp import web

from discord_sim.control.acts import Acts
from discord_sim.control.base import ControlPart
from discord_sim.ids import parse_snowflake
from discord_sim.interaction_shapes import Interaction
from discord_sim.parts import Parts
from discord_sim.rest.app import answer
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code


class UseRoutes(ControlPart):
    def __init__(self, sim: Parts) -> None:
        super().__init__(sim)
        self._acts = Acts(sim.world, sim.cdn, sim.interactions)

    def routes(self) -> list[web.RouteDef]:
        channel = "/sim/channels/{channel}"
        return [
            web.get("/sim/guilds/{guild}/commands", self.commands),
            web.post(channel + "/interactions", self.use_command),
            web.post(channel + "/autocomplete", self.autocomplete),
            web.get("/sim/interactions/{interaction}", self.interaction),
            web.post("/sim/interactions/{interaction}/modal", self.submit_modal),
            web.post("/sim/messages/{message}/components", self.use_component),
        ]

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

    async def use_command(self, request: web.Request) -> web.Response:
        """A slash command with `options`, or with `target` one of a user's or a message's menu."""
        channel, body = self._channel(request), await read_body(request)
        wanted = body.object
        user, name = self._user(wanted["user"]), str(wanted["command"])
        if (target := parse_snowflake(wanted.get("target"))) is not None:
            return _begun(self._acts.on_target(channel, user, name, target))
        return _begun(self._acts.command(channel, user, name, wanted.get("options") or {}, body.files))

    async def autocomplete(self, request: web.Request) -> web.Response:
        """What the bot suggests for the option `focused`, its beginning among `options`."""
        channel, wanted = self._channel(request), (await read_body(request)).object
        user, name = self._user(wanted["user"]), str(wanted["command"])
        return _begun(self._acts.autocomplete(channel, user, name, wanted.get("options") or {}, str(wanted["focused"])))

    async def use_component(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        message_id = parse_snowflake(request.match_info["message"]) or 0
        return _begun(
            self._acts.component(message_id, self._user(wanted["user"]), wanted["custom_id"], wanted.get("values"))
        )

    async def submit_modal(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request)).object
        shown = parse_snowflake(request.match_info["interaction"]) or 0
        return _begun(self._acts.modal(shown, self._user(wanted["user"]), wanted["values"]))

    async def interaction(self, request: web.Request) -> web.Response:
        found = self._sim.interactions.get(parse_snowflake(request.match_info["interaction"]) or 0)
        if found is None:
            raise ApiError(Code.UNKNOWN_INTERACTION)
        return answer(self._sim.interactions.shapes.describe(found))


def _begun(interaction: Interaction) -> web.Response:
    return answer({"id": str(interaction.id), "token": interaction.token}, 201)
