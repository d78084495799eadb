"""What members do beside writing: commands, buttons, menus and modals, as the bot gets to know of them."""

from __future__ import annotations

from typing import Any

from discord_sim import guild_shapes, shapes
from discord_sim.cdn import Cdn
from discord_sim.ids import parse_snowflake
from discord_sim.interactions import COMMAND, COMPONENT, MODAL, Interaction, Interactions
from discord_sim.rest.bodies import File
from discord_sim.rest.commands import SUB_COMMANDS
from discord_sim.state import Application, Channel, Guild, Json, User, World

_STRING, _INTEGER, _BOOLEAN, _USER, _CHANNEL, _ROLE, _MENTIONABLE, _NUMBER, _ATTACHMENT = range(3, 12)


class Acts:
    """Turns a member's act into an interaction. Every method raises ValueError for what no client would send."""

    def __init__(self, world: World, cdn: Cdn, interactions: Interactions) -> None:
        self._world = world
        self._cdn = cdn
        self._interactions = interactions

    def command(self, channel: Channel, user: User, name: str, options: Json, files: dict[int, File]) -> Interaction:
        """Uses a slash command by its full name, such as `listen add`."""
        guild = self._world.guild_of(channel)
        if guild is None:
            raise ValueError("commands are used in guilds")
        first, *rest = name.split()
        application, command = self._find(guild, first)
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
        resolved: dict[str, Json] = {}
        present, level = command, data
        for part in rest:
            found = [o for o in present["options"] if o["name"] == part and o["type"] in SUB_COMMANDS]
            if not found:
                raise ValueError(f"there is no command {name!r}")
            present = found[0]
            inner: Json = {"name": part, "type": present["type"]}
            level["options"] = [inner]
            level = inner
        wanted = present.get("options") or []
        if any(option["type"] in SUB_COMMANDS for option in wanted):
            raise ValueError(f"{name!r} needs one of its sub-commands")
        unknown = options.keys() - {option["name"] for option in wanted}
        if unknown:
            raise ValueError(f"{name!r} has no option {min(unknown)!r}")
        level["options"] = [
            {
                "name": option["name"],
                "type": option["type"],
                "value": self._value(guild, channel, option, options[option["name"]], files, resolved),
            }
            for option in wanted
            if self._is_given(option, options)
        ]
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        if resolved:
            data["resolved"] = resolved
        return self._interactions.begin(COMMAND, application, channel, user, data)

    def _find(self, guild: Guild, name: str) -> tuple[Application, Json]:
        for application in self._world.applications.values():
            for scope in (guild.id, None):
                for command in application.commands.get(scope, {}).values():
                    if command["name"] == name and command["type"] == 1:
                        return application, command
        raise ValueError(f"there is no command {name!r}")

    @staticmethod
    def _is_given(option: Json, options: Json) -> bool:
        given = options.get(option["name"]) is not None
        if option.get("required") and not given:
            raise ValueError(f"the option {option['name']!r} is required")
        return given

    def _value(
        self,
        guild: Guild,
        channel: Channel,
        option: Json,
        value: Any,
        files: dict[int, File],
        resolved: dict[str, Json],
    ) -> Any:
        """The value as Discord sends it, checked against the option; what it names goes into `resolved`."""
        kind, name = option["type"], option["name"]
        choices = [choice["value"] for choice in option.get("choices") or ()]
        if choices and value not in choices:
            raise ValueError(f"{value!r} is none of the choices of {name!r}")
        match kind:
            case 3 if isinstance(value, str):
                return _in_range(name, value, len(value), option.get("min_length"), option.get("max_length"))
            case 4 if isinstance(value, int) and not isinstance(value, bool):
                return _in_range(name, value, value, option.get("min_value"), option.get("max_value"))
            case 5 if isinstance(value, bool):
                return value
            case 10 if isinstance(value, int | float) and not isinstance(value, bool):
                return _in_range(name, value, value, option.get("min_value"), option.get("max_value"))
            case 11 if isinstance(value, int) and value in files:
                file = files[value]
                stored = self._cdn.store(
                    channel.id, file.filename, file.data, content_type=file.content_type, ephemeral=True
                )
                resolved.setdefault("attachments", {})[str(stored.id)] = shapes.attachment(stored, self._cdn)
                return str(stored.id)
            case 6 | 7 | 8 | 9:
                return self._resolve(guild, kind, name, value, resolved, option.get("channel_types"))
        raise ValueError(f"{value!r} is no value for the option {name!r}")

    def _resolve(
        self,
        guild: Guild,
        kind: int,
        name: str,
        value: Any,
        resolved: dict[str, Json],
        channel_types: list[int] | None = None,
    ) -> str:
        found = parse_snowflake(value) or 0
        if kind in (_USER, _MENTIONABLE) and (member := guild.members.get(found)):
            resolved.setdefault("users", {})[str(found)] = shapes.user(member.user)
            resolved.setdefault("members", {})[str(found)] = {
                **shapes.partial_member(member),
                "permissions": "0",
            }
        elif kind == _CHANNEL and (channel := guild.channels.get(found)):
            if channel_types and channel.type not in channel_types:
                raise ValueError(f"the channel {channel.name!r} is not of a kind that {name!r} takes")
            shape = self._interactions.partial_channel(channel, guild.owner_id)
            resolved.setdefault("channels", {})[str(found)] = shape
        elif kind in (_ROLE, _MENTIONABLE) and (role := guild.roles.get(found)):
            resolved.setdefault("roles", {})[str(found)] = guild_shapes.role(role)
        else:
            raise ValueError(f"{value!r} names nothing in this guild that {name!r} takes")
        return str(found)

    def component(self, message_id: int, user: User, custom_id: str, values: list[Any] | None) -> Interaction:
        """Presses a button, or chooses in a menu."""
        message = self._world.find_message(message_id)
        channel = self._world.channels.get(message.channel_id) if message else None
        if message is None or channel is None:
            raise ValueError(f"there is no message {message_id}")
        found = next((part for part in _flat(message.components) if part.get("custom_id") == custom_id), None)
        if found is None or found.get("disabled"):
            raise ValueError(f"the message has no component {custom_id!r} that can be used")
        application = self._world.applications[message.author.id]
        data: Json = {"custom_id": custom_id, "component_type": found["type"], "id": found.get("id", 0)}
        if values is not None:
            data["values"] = [str(value) for value in values]
            guild = self._world.guild_of(channel)
            resolved: dict[str, Json] = {}
            kind = {5: _USER, 6: _ROLE, 7: _MENTIONABLE, 8: _CHANNEL}.get(found["type"])
            if kind is not None and guild is not None:
                for value in values:
                    self._resolve(guild, kind, custom_id, value, resolved)
                data["resolved"] = resolved
            elif found["type"] == 3 and not set(data["values"]) <= {o["value"] for o in found.get("options") or ()}:
                raise ValueError(f"{values!r} are not among the menu's options")
        return self._interactions.begin(COMPONENT, application, channel, user, data, message)

    def modal(self, interaction_id: int, user: User, values: Json) -> Interaction:
        """Submits the modal that an interaction was answered with."""
        shown = self._interactions.get(interaction_id)
        if shown is None or shown.modal is None:
            raise ValueError(f"interaction {interaction_id} was not answered with a modal")
        rows = [
            {
                "type": row["type"],
                "id": row.get("id", 0),
                "components": [
                    {
                        "type": part["type"],
                        "id": part.get("id", 0),
                        "custom_id": part["custom_id"],
                        "value": str(values.get(part["custom_id"], part.get("value") or "")),
                    }
                    for part in row.get("components") or ()
                ],
            }
            for row in shown.modal.get("components") or ()
        ]
        data: Json = {"custom_id": shown.modal["custom_id"], "components": rows}
        return self._interactions.begin(MODAL, shown.application, shown.channel, user, data, shown.source)


def _in_range(name: str, value: Any, size: float, low: float | None, high: float | None) -> Any:
    if (low is not None and size < low) or (high is not None and size > high):
        raise ValueError(f"{value!r} is outside what the option {name!r} allows")
    return value


def _flat(components: list[Json]) -> list[Json]:
    found = []
    for component in components:
        found.append(component)
        found += _flat(component.get("components") or [])
    return found
