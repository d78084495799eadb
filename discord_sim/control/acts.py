"""What members do beside writing: commands, buttons, menus and modals, as the bot gets to know of them."""

from __future__ import annotations

from typing import Any

from discord_sim import guild_shapes, permissions, shapes
from discord_sim.cdn import Cdn
from discord_sim.ids import parse_snowflake
from discord_sim.interaction_shapes import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from discord_sim.interactions import Interactions
from discord_sim.rest.bodies import File
from discord_sim.rest.command_bodies import SUB_COMMANDS
from discord_sim.state import Application, Channel, Guild, Json, User, World

_STRING, _INTEGER, _BOOLEAN, _USER, _CHANNEL, _ROLE, _MENTIONABLE, _NUMBER, _ATTACHMENT = range(3, 12)
_ACTION_ROW, _BUTTON, _STRING_MENU, _LABEL = 1, 2, 3, 18
_MENUS = {_STRING_MENU: 0, 5: _USER, 6: _ROLE, 7: _MENTIONABLE, 8: _CHANNEL}
"""Select menus by component type, and what their values name, as an option type."""
_USER_COMMAND = 2


class Acts:
    """Turns a member's act into an interaction. Every method raises ValueError for what no client would send."""

    def __init__(self, world: World, cdn: Cdn, interactions: Interactions) -> None:
        self._world = world
        self._cdn = cdn
        self._interactions = interactions

    def command(self, channel: Channel, user: User, name: str, options: Json, files: dict[int, File]) -> Interaction:
        """Uses a slash command by its full name, such as `listen add`."""
        application, data, wanted, level = self._named(channel, name)
        self._check_allowed(channel, user, data)
        unknown = options.keys() - {option["name"] for option in wanted}
        if unknown:
            raise ValueError(f"{name!r} has no option {min(unknown)!r}")
        resolved: dict[str, Json] = {}
        level["options"] = [
            {
                "name": option["name"],
                "type": option["type"],
                "value": self._value(channel, option, options[option["name"]], files, resolved),
            }
            for option in wanted
            if self._is_given(option, options)
        ]
        if resolved:
            data["resolved"] = resolved
        return self._interactions.begin(COMMAND, application, channel, user, data)

    def autocomplete(self, channel: Channel, user: User, name: str, options: Json, focused: str) -> Interaction:
        """Asks for suggestions while the option `focused` is being typed; values are not checked yet."""
        application, data, wanted, level = self._named(channel, name)
        by_name = {option["name"]: option for option in wanted}
        if not by_name.get(focused, {}).get("autocomplete"):
            raise ValueError(f"{name!r} has no option {focused!r} with suggestions")
        data.pop("needs", None)
        given = {**options, focused: options.get(focused) or ""}
        level["options"] = [
            {"name": key, "type": by_name[key]["type"], "value": value} | ({"focused": True} if key == focused else {})
            for key, value in given.items()
            if key in by_name
        ]
        return self._interactions.begin(AUTOCOMPLETE, application, channel, user, data)

    def on_target(self, channel: Channel, user: User, name: str, target_id: int) -> Interaction:
        """Uses a command of a user's (type 2) or a message's (type 3) context menu."""
        guild = self._world.guild_of(channel)
        application, command = self._find(guild, name, (2, 3))
        data = _beginning(command)
        self._check_allowed(channel, user, data)
        data["target_id"] = str(target_id)
        resolved: dict[str, Json] = {}
        if command["type"] == _USER_COMMAND:
            self._resolve(guild, channel, _USER, name, target_id, resolved)
        else:
            message = channel.messages.get(target_id)
            if message is None:
                raise ValueError(f"the channel has no message {target_id}")
            resolved["messages"] = {str(target_id): self._interactions.shapes.message(message)}
        data["resolved"] = resolved
        return self._interactions.begin(COMMAND, application, channel, user, data)

    def _named(self, channel: Channel, name: str) -> tuple[Application, Json, list[Json], Json]:
        """The command: its application, the interaction's data so far, its options, and where their values belong."""
        first, *rest = name.split() or [""]
        application, command = self._find(self._world.guild_of(channel), first, (1,))
        data = _beginning(command)
        present, level = command, data
        for part in rest:
            found = [o for o in present.get("options") or () if o["name"] == part and o["type"] in SUB_COMMANDS]
            if not found:
                raise ValueError(f"there is no command {name!r}")
            present = found[0]
            inner: Json = {"name": part, "type": present["type"]}
            level["options"] = [inner]
            level = inner
        wanted = present.get("options") or []
        if any(option["type"] in SUB_COMMANDS for option in wanted):
            raise ValueError(f"{name!r} needs one of its sub-commands")
        return application, data, wanted, level

    def _find(self, guild: Guild | None, name: str, kinds: tuple[int, ...]) -> tuple[Application, Json]:
        for application in self._world.applications.values():
            for scope in (None,) if guild is None else (guild.id, None):
                for command in application.commands.get(scope, {}).values():
                    if command["name"] == name and command["type"] in kinds and _fits(command, guild):
                        return application, command
        raise ValueError(f"there is no command {name!r}")

    def _check_allowed(self, channel: Channel, user: User, data: Json) -> None:
        """Whether a client would offer the command: the member needs `default_member_permissions`."""
        guild = self._world.guild_of(channel)
        needed = data.pop("needs", None)
        if guild is None:
            return
        granted = self._world.permissions(user.id, channel)
        if not granted & permissions.USE_APPLICATION_COMMANDS:
            raise ValueError("the member may not use commands here")
        if needed is None:
            return
        bits = int(needed)
        if (bits == 0 and not granted & permissions.ADMINISTRATOR) or granted & bits != bits:
            raise ValueError(f"the member lacks the permissions {bits} that {data['name']!r} needs")

    @staticmethod
    def _is_given(option: Json, options: Json) -> bool:
        given = options.get(option["name"]) is not None
        if option.get("required") and not given:
            raise ValueError(f"the option {option['name']!r} is required")
        return given

    def _value(
        self,
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
                guild = self._world.guild_of(channel)
                return self._resolve(guild, channel, kind, name, value, resolved, option.get("channel_types"))
        raise ValueError(f"{value!r} is no value for the option {name!r}")

    def _resolve(
        self,
        guild: Guild | None,
        channel: Channel,
        kind: int,
        name: str,
        value: Any,
        resolved: dict[str, Json],
        channel_types: list[int] | None = None,
    ) -> str:
        found = parse_snowflake(value) or 0
        member = guild.members.get(found) if guild else None
        users = [member.user] if member else [] if guild else channel.recipients
        user = next((user for user in users if user.id == found), None)
        if kind in (_USER, _MENTIONABLE) and user is not None:
            resolved.setdefault("users", {})[str(found)] = shapes.user(user)
            if member is not None:
                granted = self._world.permissions(found, channel)
                shape = {**shapes.partial_member(member), "permissions": str(granted)}
                resolved.setdefault("members", {})[str(found)] = shape
        elif kind == _CHANNEL and guild is not None and (named := guild.channels.get(found)):
            if channel_types and named.type not in channel_types:
                raise ValueError(f"the channel {named.name!r} is not of a kind that {name!r} takes")
            shape = self._interactions.shapes.partial_channel(named, guild.owner_id)
            resolved.setdefault("channels", {})[str(found)] = shape
        elif kind in (_ROLE, _MENTIONABLE) and guild is not None and (role := guild.roles.get(found)):
            resolved.setdefault("roles", {})[str(found)] = guild_shapes.role(role)
        else:
            raise ValueError(f"{value!r} names nothing here that {name!r} takes")
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
        if found["type"] not in (_BUTTON, *_MENUS):
            raise ValueError(f"the component {custom_id!r} is of type {found['type']}, which nobody can use")
        application = self._world.applications.get(message.application_id or message.author.id)
        if application is None:
            raise ValueError(f"message {message_id} is no bot's")
        data: Json = {"custom_id": custom_id, "component_type": found["type"], "id": found.get("id", 0)}
        if found["type"] in _MENUS:
            data |= self._chosen(channel, found, [str(value) for value in values or ()])
        elif values:
            raise ValueError(f"a button takes no values, {custom_id!r} was given {values!r}")
        return self._interactions.begin(COMPONENT, application, channel, user, data, message)

    def _chosen(self, channel: Channel, menu: Json, values: list[str]) -> Json:
        """`values` and `resolved` of a choice in a select menu."""
        name = menu["custom_id"]
        low, high = menu.get("min_values", 1), menu.get("max_values", 1)
        if not low <= len(values) <= high:
            raise ValueError(f"the menu {name!r} takes {low} to {high} choices, not {len(values)}")
        if menu["type"] == _STRING_MENU:
            if not set(values) <= {option["value"] for option in menu.get("options") or ()}:
                raise ValueError(f"{values!r} are not among the options of {name!r}")
            return {"values": values}
        resolved: dict[str, Json] = {}
        guild = self._world.guild_of(channel)
        for value in values:
            self._resolve(guild, channel, _MENUS[menu["type"]], name, value, resolved, menu.get("channel_types"))
        return {"values": values, "resolved": resolved}

    def modal(self, interaction_id: int, user: User, values: Json) -> Interaction:
        """Submits the modal that an interaction was answered with, `values` by custom ID."""
        shown = self._interactions.get(interaction_id)
        if shown is None or shown.modal is None:
            raise ValueError(f"interaction {interaction_id} was not answered with a modal")
        rows = [self._row(shown.channel, row, values) for row in shown.modal.get("components") or ()]
        data: Json = {"custom_id": shown.modal["custom_id"], "components": [row for row in rows if row]}
        return self._interactions.begin(MODAL, shown.application, shown.channel, user, data, shown.source, shown)

    def _row(self, channel: Channel, row: Json, values: Json) -> Json | None:
        """An action row's or a label's part of what was submitted; text displays have none."""
        made: Json = {"type": row["type"], "id": row.get("id", 0)}
        if row["type"] == _LABEL:
            return made | {"component": self._field(channel, row["component"], values)}
        if row["type"] != _ACTION_ROW:
            return None
        return made | {"components": [self._field(channel, part, values) for part in row.get("components") or ()]}

    def _field(self, channel: Channel, part: Json, values: Json) -> Json:
        name = part["custom_id"]
        made: Json = {"type": part["type"], "id": part.get("id", 0), "custom_id": name}
        value = values.get(name)
        if part["type"] in _MENUS:
            return made | self._chosen(channel, part, [str(item) for item in value or ()])
        text = str(part.get("value") or "" if value is None else value)
        if not text and part.get("required", True):
            raise ValueError(f"the field {name!r} is required")
        if text:
            _in_range(name, text, len(text), part.get("min_length"), part.get("max_length"))
        return made | {"value": text}


def _beginning(command: Json) -> Json:
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    if command.get("default_member_permissions") is not None:
        data["needs"] = command["default_member_permissions"]
    return data


def _fits(command: Json, guild: Guild | None) -> bool:
    """Whether the command is offered in a guild, or in direct messages with the bot."""
    contexts = command.get("contexts")
    return contexts is None or (0 if guild is not None else 1) in contexts


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
