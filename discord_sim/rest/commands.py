"""Application commands, global and of a guild."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from discord_sim.parts import Parts
from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.command_bodies import NewCommand
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_guild, id_in
from discord_sim.rest.validation import read
from discord_sim.state import Application, Json

MAX_COMMANDS = 100


class Commands:
    def __init__(self, sim: Parts) -> None:
        self._sim = sim
        self._world = sim.world

    def routes(self) -> list[web.RouteDef]:
        routes: list[web.RouteDef] = []
        for base in ("/applications/{application}/commands", "/applications/{application}/guilds/{guild}/commands"):
            routes += [
                web.get(API + base, self.list),
                web.put(API + base, self.replace),
                web.post(API + base, self.create),
                web.get(API + base + "/{command}", self.one),
                web.patch(API + base + "/{command}", self.edit),
                web.delete(API + base + "/{command}", self.delete),
            ]
        guild = API + "/applications/{application}/guilds/{guild}/commands"
        routes.insert(0, web.get(guild + "/permissions", self.permissions))
        routes.append(web.get(guild + "/{command}/permissions", self.permissions_of))
        return routes

    def _scope(self, request: web.Request) -> tuple[Application, int | None, dict[int, Json]]:
        application = application_of(request)
        if id_in(request, "application") != application.id:
            raise ApiError(Code.UNKNOWN_APPLICATION)
        guild_id = find_guild(self._world, request).id if "guild" in request.match_info else None
        return application, guild_id, application.commands.setdefault(guild_id, {})

    async def list(self, request: web.Request) -> web.Response:
        return answer([*self._scope(request)[2].values()])

    async def replace(self, request: web.Request) -> web.Response:
        application, guild_id, present = self._scope(request)
        wanted = (await read_body(request)).json
        if not isinstance(wanted, list):
            raise ApiError(Code.INVALID_JSON)
        if len(wanted) > MAX_COMMANDS:
            raise ApiError(Code.MAX_COMMANDS)
        made: dict[int, Json] = {}
        for place, item in enumerate(wanted):
            command = self._made(application, guild_id, item, present, str(place))
            if int(command["id"]) in made:
                raise invalid(f"{place}.name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Command names must be unique")
            made[int(command["id"])] = command
        application.commands[guild_id] = made
        return answer([*made.values()])

    async def create(self, request: web.Request) -> web.Response:
        application, guild_id, present = self._scope(request)
        command = self._made(application, guild_id, (await read_body(request)).object, present)
        known = int(command["id"]) in present
        present[int(command["id"])] = command
        return answer(command, 200 if known else 201)

    def _find(self, request: web.Request) -> tuple[Json, dict[int, Json], Application, int | None]:
        application, guild_id, present = self._scope(request)
        command = present.get(id_in(request, "command"))
        if command is None:
            raise ApiError(Code.UNKNOWN_COMMAND)
        return command, present, application, guild_id

    async def one(self, request: web.Request) -> web.Response:
        return answer(self._find(request)[0])

    async def edit(self, request: web.Request) -> web.Response:
        command, present, application, guild_id = self._find(request)
        changed = {**command, **(await read_body(request)).object}
        made = {**self._made(application, guild_id, changed, {}), "id": command["id"]}
        present[int(command["id"])] = made
        return answer(made)

    async def permissions(self, request: web.Request) -> web.Response:
        """Which members and roles may use which command, where somebody has said so: nobody has."""
        self._scope(request)
        return answer([])

    async def permissions_of(self, request: web.Request) -> web.Response:
        self._find(request)
        raise ApiError(Code.UNKNOWN_COMMAND_PERMISSIONS)

    async def delete(self, request: web.Request) -> web.Response:
        command, present, _, _ = self._find(request)
        del present[int(command["id"])]
        return no_content()

    def _made(
        self, application: Application, guild_id: int | None, item: Any, present: dict[int, Json], *where: str
    ) -> Json:
        """The command object of a request; one of the same name and type keeps its ID. Raises ApiError."""
        wanted = read(NewCommand, item, *where)
        shape = wanted.shape()
        known = next((c for c in present.values() if (c["name"], c["type"]) == (wanted.name, wanted.kind)), None)
        if known and all(known.get(name) == value for name, value in shape.items()):
            return known
        command: Json = {
            "id": known["id"] if known else str(self._world.ids.next()),
            "application_id": str(application.id),
            "version": str(self._world.ids.next()),
            "dm_permission": guild_id is None and (shape["contexts"] is None or 1 in shape["contexts"]),
            "default_permission": True,
            **shape,
        }
        if guild_id is not None:
            command["guild_id"] = str(guild_id)
        return command
