"""The bodies that make and change channels, threads, roles, overwrites and members."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from discord_sim.rest.validation import Snowflake, Wanted, fault

_ALL = (1 << 54) - 1


def _bits(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if type(value) is not int or not 0 <= value <= _ALL:
        raise fault("NUMBER_TYPE_COERCE", f"Value {value!r:.80} is not int.")
    return value


Bits = Annotated[int, BeforeValidator(_bits)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Slowmode = Annotated[int, Field(ge=0, le=21_600)]
_Archive = Literal[60, 1440, 4320, 10080]


class OverwritePart(Wanted):
    id: Snowflake
    type: Literal[0, 1] | None = None
    allow: Bits | None = None
    deny: Bits | None = None


class NewOverwrite(Wanted):
    type: Literal[0, 1]
    allow: Bits | None = None
    deny: Bits | None = None


class ChannelChanges(Wanted):
    name: _Name | None = None
    topic: Annotated[str, StringConstraints(max_length=1024)] | None = None
    nsfw: bool | None = None
    position: Annotated[int, Field(ge=0, le=0x7FFFFFFF)] | None = None
    rate_limit_per_user: _Slowmode | None = None
    parent_id: Snowflake | None = None
    permission_overwrites: list[OverwritePart] | None = None
    archived: bool | None = None
    locked: bool | None = None
    auto_archive_duration: _Archive | None = None


class NewGuildChannel(ChannelChanges):
    name: _Name
    type: Literal[0, 2, 4, 5] | None = None


class NewThread(Wanted):
    name: _Name
    type: Literal[10, 11, 12] | None = None
    auto_archive_duration: _Archive | None = None
    rate_limit_per_user: _Slowmode | None = None
    invitable: bool | None = None


class RoleChanges(Wanted):
    name: Annotated[str, StringConstraints(max_length=100)] | None = None
    permissions: Bits | None = None
    color: Annotated[int, Field(ge=0, le=0xFFFFFF)] | None = None
    hoist: bool | None = None
    mentionable: bool | None = None


class MemberChanges(Wanted):
    nick: Annotated[str, StringConstraints(max_length=32)] | None = None
    roles: list[Snowflake] | None = None


class WebhookChanges(Wanted):
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    avatar: str | None = None
    channel_id: Snowflake | None = None


class NewWebhook(WebhookChanges):
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
