"""Application commands, global and of a guild."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from discord_sim.rest.app import API, answer, application_of, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.find import find_guild, id_in
from discord_sim.state import Application, Json

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

CHAT_INPUT = 1
SUB_COMMANDS = frozenset({1, 2})
MAX_COMMANDS = 100
_NAME = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
_KEPT = (
    "name_localizations",
    "description_localizations",
    "default_member_permissions",
    "contexts",
    "integration_types",
    "options",
    "nsfw",
)


class Commands:
    def __init__(self, sim: DiscordSim) -> None:
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
            command = self._made(application, guild_id, item, present, f"{place}.")
            if int(command["id"]) in made:
                raise invalid(f"{place}.name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Command names must be unique")
            made[int(command["id"])] = command
        application.commands[guild_id] = made
        return answer([*made.values()])

    async def create(self, request: web.Request) -> web.Response:
        application, guild_id, present = self._scope(request)
        command = self._made(application, guild_id, (await read_body(request)).object, present, "")
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
        del present[int(command["id"])]
        made = self._made(application, guild_id, changed, {}, "")
        made["id"] = command["id"]
        present[int(command["id"])] = made
        return answer(made)

    async def delete(self, request: web.Request) -> web.Response:
        command, present, _, _ = self._find(request)
        del present[int(command["id"])]
        return no_content()

    def _made(
        self, application: Application, guild_id: int | None, item: Any, present: dict[int, Json], path: str
    ) -> Json:
        """The command object of a request; one of the same name and type keeps its ID. Raises ApiError."""
        if not isinstance(item, dict):
            raise ApiError(Code.INVALID_JSON)
        kind = item.get("type") or CHAT_INPUT
        _check_name(item, path, kind)
        if kind == CHAT_INPUT:
            _check_options(item.get("options") or [], f"{path}options.")
        known = next((c for c in present.values() if (c["name"], c["type"]) == (item["name"], kind)), None)
        command: Json = {
            "id": known["id"] if known else str(self._world.ids.next()),
            "application_id": str(application.id),
            "version": str(self._world.ids.next()),
            "type": kind,
            "name": item["name"],
            "description": item.get("description") or "",
            "dm_permission": guild_id is None,
            "default_permission": True,
        }
        command |= {name: item.get(name) for name in _KEPT}
        command["nsfw"] = bool(item.get("nsfw"))
        command["options"] = item.get("options") or []
        command["integration_types"] = item.get("integration_types") or [0]
        if guild_id is not None:
            command["guild_id"] = str(guild_id)
        if known and all(known.get(name) == command.get(name) for name in ("description", *_KEPT)):
            command["version"] = known["version"]
        return command


def _check_name(item: Json, path: str, kind: int = CHAT_INPUT) -> None:
    name, description = item.get("name"), item.get("description")
    if not isinstance(name, str) or not name:
        raise invalid(f"{path}name", "BASE_TYPE_REQUIRED", "This field is required")
    if kind != CHAT_INPUT:
        return
    if not _NAME.match(name) or name != name.lower():
        raise invalid(f"{path}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not isinstance(description, str) or not 1 <= len(description) <= 100:
        raise invalid(f"{path}description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _check_options(options: list[Json], path: str) -> None:
    if len(options) > 25:
        raise invalid(path.rstrip("."), "BASE_TYPE_BAD_LENGTH", "Must be between 0 and 25 in length.")
    optional, names = False, set()
    for place, option in enumerate(options):
        here = f"{path}{place}."
        _check_name(option, here)
        if option["name"] in names:
            raise invalid(f"{here}name", "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option name must be unique")
        names.add(option["name"])
        if option.get("type") not in range(1, 12):
            raise invalid(f"{here}type", "BASE_TYPE_CHOICES", "Value must be one of 1 to 11.")
        if option["type"] in SUB_COMMANDS:
            _check_options(option.get("options") or [], f"{here}options.")
            continue
        if option.get("required") and optional:
            message = "Required options must be placed before non-required options"
            raise invalid(here.rstrip("."), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional = optional or not option.get("required")
        if len(option.get("choices") or ()) > 25:
            raise invalid(f"{here}choices", "BASE_TYPE_BAD_LENGTH", "Must be between 0 and 25 in length.")
