"""Application commands as a bot registers them, with Discord's limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from discord_sim.rest.validation import Wanted, distinct, fault
from discord_sim.state import Json

CHAT_INPUT = 1
SUB_COMMAND, SUB_COMMAND_GROUP = 1, 2
SUB_COMMANDS = frozenset({SUB_COMMAND, SUB_COMMAND_GROUP})
_LOCALES = """
id da de en-GB en-US es-ES es-419 fr hr it lt hu nl no pl pt-BR ro fi sv-SE vi tr cs el bg ru uk hi th zh-CN ja zh-TW
ko ar he
"""
LOCALES = frozenset(_LOCALES.split())
_CHAT_NAME = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
_STRING, _INTEGER, _NUMBER = 3, 4, 10
_WITH_CHOICES = frozenset({_STRING, _INTEGER, _NUMBER})
_MOST_CHARACTERS = 8000


def _localised(longest: int) -> Callable[[dict[str, Any]], dict[str, str]]:
    def check(value: dict[str, Any]) -> dict[str, str]:
        for locale, text in value.items():
            if locale not in LOCALES:
                raise fault("APPLICATION_COMMAND_INVALID_LOCALE", f"{locale!r} is no locale Discord knows")
            if not isinstance(text, str) or not 1 <= len(text) <= longest:
                raise fault("BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {longest} in length.")
        return value

    return check


def _chat_name(name: str) -> str:
    if not _CHAT_NAME.match(name) or name != name.lower():
        raise fault("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    return name


_Names = Annotated[dict[str, Any], AfterValidator(_localised(32))]
_Descriptions = Annotated[dict[str, Any], AfterValidator(_localised(100))]
_ChannelTypes = Annotated[list[Annotated[int, Field(ge=0, le=16)]], AfterValidator(distinct)]
_ChatName = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_chat_name)]
_Description = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Choice(Wanted):
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    name_localizations: _Descriptions | None = None
    value: Any


class CommandOption(Wanted):
    type: Annotated[int, Field(ge=1, le=11)]
    name: _ChatName
    name_localizations: _Names | None = None
    description: _Description
    description_localizations: _Descriptions | None = None
    required: bool | None = None
    choices: Annotated[list[Choice], Field(max_length=25)] | None = None
    options: Annotated[list[CommandOption], Field(max_length=25)] | None = None
    channel_types: _ChannelTypes | None = None
    min_value: float | None = None
    max_value: float | None = None
    min_length: Annotated[int, Field(ge=0, le=6000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=6000)] | None = None
    autocomplete: bool | None = None

    @model_validator(mode="after")
    def _fits(self) -> CommandOption:
        if self.options and self.type not in SUB_COMMANDS:
            raise fault("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Only sub-commands have options")
        if self.choices and self.type not in _WITH_CHOICES:
            raise fault("APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Options of this type have no choices")
        if self.choices and self.autocomplete:
            raise fault("APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES", "Choices exclude autocomplete")
        for choice in self.choices or ():
            _check_choice(self.type, choice.value)
        if self.type == SUB_COMMAND_GROUP and any(inner.type != SUB_COMMAND for inner in self.options or ()):
            raise fault("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "A group holds sub-commands")
        if self.type == SUB_COMMAND and any(inner.type in SUB_COMMANDS for inner in self.options or ()):
            raise fault("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "A sub-command holds no other")
        _check_order(self.options or ())
        return self

    def shape(self) -> Json:
        made = self.model_dump(exclude_none=True, exclude={"options", "choices"})
        for name in ("min_value", "max_value"):
            if self.type == _INTEGER and name in made:
                made[name] = int(made[name])
        if self.choices is not None:
            made["choices"] = [choice.model_dump(exclude_unset=True) for choice in self.choices]
        if self.options is not None or self.type in SUB_COMMANDS:
            made["options"] = [inner.shape() for inner in self.options or ()]
        return made


def _check_choice(kind: int, value: Any) -> None:
    right = {
        _STRING: isinstance(value, str) and len(value) <= 100,
        _INTEGER: type(value) is int,
        _NUMBER: type(value) in (int, float),
    }
    if not right[kind]:
        raise fault("APPLICATION_COMMAND_OPTIONS_CHOICES_VALUE_INVALID", "The value is not of the option's type")


def _check_order(options: Any) -> None:
    """Names are unique, sub-commands stand alone, and what is required comes first."""
    names = [option.name for option in options]
    if len(set(names)) < len(names):
        raise fault("APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option name must be unique")
    kinds = {option.type in SUB_COMMANDS for option in options}
    if len(kinds) > 1:
        raise fault("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands and other options exclude each other")
    optional = False
    for option in options:
        if option.required and optional:
            message = "Required options must be placed before non-required options"
            raise fault("APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional = optional or not option.required


def _bits(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


class NewCommand(Wanted):
    type: Literal[1, 2, 3] | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    name_localizations: _Names | None = None
    description: Annotated[str, StringConstraints(max_length=100)] | None = None
    description_localizations: _Descriptions | None = None
    options: Annotated[list[CommandOption], Field(max_length=25)] | None = None
    default_member_permissions: Annotated[Annotated[int, Field(ge=0, lt=1 << 54)] | None, BeforeValidator(_bits)] = None
    dm_permission: bool | None = None
    contexts: Annotated[list[Literal[0, 1, 2]], Field(min_length=1), AfterValidator(distinct)] | None = None
    integration_types: Annotated[list[Literal[0, 1]], Field(min_length=1), AfterValidator(distinct)] | None = None
    nsfw: bool | None = None
    handler: Literal[1, 2] | None = None

    @property
    def kind(self) -> int:
        return self.type or CHAT_INPUT

    @model_validator(mode="after")
    def _fits(self) -> NewCommand:
        if self.kind == CHAT_INPUT:
            _chat_name(self.name)
            if not self.description:
                raise fault("BASE_TYPE_BAD_LENGTH", "description: must be between 1 and 100 in length.")
        elif self.description or self.options:
            raise fault("APPLICATION_COMMAND_CONTEXT_MENU_FIELDS", "Context menus have no description or options")
        _check_order(self.options or ())
        if len(self.model_dump_json(include={"name", "description", "options"})) > 4 * _MOST_CHARACTERS:
            raise fault("APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({_MOST_CHARACTERS})")
        return self

    def shape(self) -> Json:
        bits = self.default_member_permissions
        made: Json = {
            "type": self.kind,
            "name": self.name,
            "name_localizations": self.name_localizations,
            "description": self.description or "",
            "description_localizations": self.description_localizations,
            "default_member_permissions": None if bits is None else str(bits),
            "contexts": self.contexts,
            "integration_types": self.integration_types or [0],
            "nsfw": bool(self.nsfw),
        }
        if self.dm_permission is False and self.contexts is None:
            made["contexts"] = [0]
        if self.kind == CHAT_INPUT:
            made["options"] = [option.shape() for option in self.options or ()]
        return made
