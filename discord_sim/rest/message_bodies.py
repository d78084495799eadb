"""The bodies that make and change messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from discord_sim.rest.embeds import Embeds
from discord_sim.rest.validation import Snowflake, Wanted, distinct, fault

MAX_CONTENT = 2000
_Flags = Annotated[int, Field(ge=0, le=0x7FFFFFFF)]
_Content = Annotated[str, StringConstraints(max_length=MAX_CONTENT)]
_NONCE = (1 << 63) - 1


class AllowedMentions(Wanted):
    parse: Annotated[list[Literal["users", "roles", "everyone"]], AfterValidator(distinct)] | None = None
    users: Annotated[list[Snowflake], Field(max_length=100), AfterValidator(distinct)] | None = None
    roles: Annotated[list[Snowflake], Field(max_length=100), AfterValidator(distinct)] | None = None
    replied_user: bool | None = None


def _exclusive(allowed: AllowedMentions) -> AllowedMentions:
    for name in ("users", "roles"):
        if name in (allowed.parse or ()) and getattr(allowed, name):
            raise fault(
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.',
            )
    return allowed


class Reference(Wanted):
    message_id: Snowflake
    channel_id: Snowflake | None = None
    guild_id: Snowflake | None = None
    fail_if_not_exists: bool | None = None
    type: Literal[0, 1] | None = None


class AttachmentPart(Wanted):
    id: Snowflake
    filename: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    description: Annotated[str, StringConstraints(max_length=1024)] | None = None


class MessageChanges(Wanted):
    """What an edit may set. Components are read apart, as what they may be depends on the flags."""

    content: _Content | None = None
    embeds: Embeds | None = None
    flags: _Flags | None = None
    allowed_mentions: Annotated[AllowedMentions, AfterValidator(_exclusive)] | None = None
    components: Any = None
    attachments: Annotated[list[AttachmentPart], Field(max_length=10)] | None = None
    sticker_ids: Annotated[list[Snowflake], Field(max_length=3)] | None = None
    poll: dict[str, Any] | None = None


def _nonce(value: Any) -> str | int | None:
    if value is None or (isinstance(value, str) and len(value) <= 25):
        return value
    if type(value) is int and -_NONCE - 1 <= value <= _NONCE:
        return value
    raise fault("NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer in length.")


class NewMessage(MessageChanges):
    tts: bool | None = None
    nonce: Annotated[Any, AfterValidator(_nonce)] = None
    enforce_nonce: bool | None = None
    message_reference: Reference | None = None


class WebhookMessage(NewMessage):
    username: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    avatar_url: str | None = None
    thread_name: Annotated[str, StringConstraints(max_length=100)] | None = None
