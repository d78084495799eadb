"""The bodies that make and change channels, threads, roles, overwrites and members."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from discord_sim.rest.validation import Snowflake, Wanted, distinct, fault, no_boolean

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
_Archive = Annotated[Literal[60, 1440, 4320, 10080], BeforeValidator(no_boolean)]
_OverwriteType = Annotated[Literal[0, 1], BeforeValidator(no_boolean)]


class OverwritePart(Wanted):
    id: Snowflake
    type: _OverwriteType | None = None
    allow: Bits | None = None
    deny: Bits | None = None


class NewOverwrite(Wanted):
    type: _OverwriteType
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


class DefaultReaction(Wanted):
    emoji_id: Snowflake | None = None
    emoji_name: Annotated[str, StringConstraints(max_length=100)] | None = None


class NewGuildChannel(ChannelChanges):
    """Stages and forums (13 to 15) are not made here."""

    name: _Name
    type: Annotated[Literal[0, 2, 4, 5], BeforeValidator(no_boolean)] | None = None
    bitrate: Annotated[int, Field(ge=8000)] | None = None
    user_limit: Annotated[int, Field(ge=0)] | None = None
    rtc_region: str | None = None
    video_quality_mode: Annotated[Literal[1, 2], BeforeValidator(no_boolean)] | None = None
    default_auto_archive_duration: _Archive | None = None
    default_reaction_emoji: DefaultReaction | None = None
    default_thread_rate_limit_per_user: _Slowmode | None = None
    default_sort_order: Annotated[Literal[0, 1], BeforeValidator(no_boolean)] | None = None
    default_forum_layout: Annotated[Literal[0, 1, 2], BeforeValidator(no_boolean)] | None = None
    default_tag_setting: Literal["match_some", "match_all"] | None = None


class NewThread(Wanted):
    name: _Name
    type: Annotated[Literal[10, 11, 12], BeforeValidator(no_boolean)] | None = None
    auto_archive_duration: _Archive | None = None
    rate_limit_per_user: _Slowmode | None = None
    invitable: bool | None = None


_Colour = Annotated[int, Field(ge=0, le=0xFFFFFF)]


class RoleColours(Wanted):
    primary_color: _Colour | None = None
    secondary_color: _Colour | None = None
    tertiary_color: _Colour | None = None


class RoleChanges(Wanted):
    name: _Name | None = None
    permissions: Bits | None = None
    color: _Colour | None = None
    colors: RoleColours | None = None
    hoist: bool | None = None
    mentionable: bool | None = None
    icon: str | None = None
    unicode_emoji: Annotated[str, StringConstraints(max_length=100)] | None = None


class OwnMemberChanges(Wanted):
    nick: Annotated[str, StringConstraints(max_length=32)] | None = None
    avatar: str | None = None
    bio: Annotated[str, StringConstraints(max_length=190)] | None = None
    banner: str | None = None


class MemberChanges(Wanted):
    nick: Annotated[str, StringConstraints(max_length=32)] | None = None
    roles: Annotated[list[Snowflake | None], Field(max_length=350), AfterValidator(distinct)] | None = None
    mute: bool | None = None
    deaf: bool | None = None
    channel_id: Snowflake | None = None
    communication_disabled_until: str | None = None
    flags: Annotated[int, Field(ge=0, le=0x7FFFFFFF)] | None = None


class WebhookChanges(Wanted):
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] = ""
    avatar: str | None = None
    channel_id: Snowflake | None = None


class NewWebhook(WebhookChanges):
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
