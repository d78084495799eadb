"""A message as a client asks for it: checked against Discord's limits, its files put on the CDN."""

from __future__ import annotations

from typing import TypeVar

from discord_sim.cdn import Cdn
from discord_sim.chat import EPHEMERAL, Draft
from discord_sim.rest.bodies import Body
from discord_sim.rest.components import COMPONENTS_V2, read_components
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.message_bodies import AllowedMentions, MessageChanges, NewMessage
from discord_sim.rest.validation import read
from discord_sim.state import Attachment, Json

_SUPPRESS_EMBEDS, _SILENT = 1 << 2, 1 << 12
_SETTABLE_FLAGS = EPHEMERAL | _SUPPRESS_EMBEDS | _SILENT | COMPONENTS_V2
_Kind = TypeVar("_Kind", bound=NewMessage)


def read_new(body: Body, kind: type[_Kind]) -> _Kind:
    """The body of a new message. Raises ApiError."""
    wanted = read(kind, body.json)
    if wanted.sticker_ids:
        raise ApiError(Code.UNKNOWN_STICKER)
    return wanted


def read_draft(body: Body, cdn: Cdn, channel_id: int, kind: type[NewMessage] = NewMessage) -> Draft:
    """Raises ApiError where Discord would refuse the message."""
    wanted = read_new(body, kind)
    content, flags = wanted.content or "", (wanted.flags or 0) & _SETTABLE_FLAGS
    second = bool(flags & COMPONENTS_V2)
    embeds = [embed.shape() for embed in wanted.embeds or () if not embed.is_empty()]
    components = read_components(wanted.components, second=second)
    if second and (content or embeds):
        path = "content" if content else "embeds"
        message = f"The '{path}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        raise invalid(path, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    if not (content.strip() or embeds or components or body.files):
        raise ApiError(Code.EMPTY_MESSAGE)
    reference = wanted.message_reference
    return Draft(
        content.strip(),
        attachments=store_files(body, cdn, channel_id, ephemeral=bool(flags & EPHEMERAL)),
        embeds=embeds,
        components=components,
        allowed_mentions=mentions_of(wanted.allowed_mentions),
        reply_to=None if reference is None else reference.message_id,
        reply_must_exist=reference is None or reference.fail_if_not_exists is not False,
        nonce=wanted.nonce,
        enforce_nonce=bool(wanted.enforce_nonce),
        flags=flags,
        tts=bool(wanted.tts),
    )


def mentions_of(wanted: AllowedMentions | None) -> Json | None:
    return None if wanted is None else wanted.model_dump(exclude_none=True)


def read_changes(
    body: Body, cdn: Cdn, channel_id: int, present: list[Attachment], *, flags: int = 0
) -> tuple[Json, Json | None]:
    """The attributes of a message that an edit sets, and its allowed mentions. Raises ApiError."""
    wanted = read(MessageChanges, body.json)
    changes: Json = {}
    if "content" in wanted.given:
        changes["content"] = (wanted.content or "").strip()
    if "embeds" in wanted.given:
        changes["embeds"] = [embed.shape() for embed in wanted.embeds or () if not embed.is_empty()]
    if "flags" in wanted.given and wanted.flags is not None:
        kept = _SUPPRESS_EMBEDS | COMPONENTS_V2
        changes["flags"] = flags & ~_SUPPRESS_EMBEDS | wanted.flags & kept
    if "components" in wanted.given:
        second = bool((flags | (wanted.flags or 0)) & COMPONENTS_V2)
        changes["components"] = read_components(wanted.components, second=second)
    if "attachments" in wanted.given or body.files:
        named = {item.id for item in wanted.attachments or ()}
        held = present if "attachments" not in wanted.given else [item for item in present if item.id in named]
        changes["attachments"] = held + store_files(body, cdn, channel_id)
    return changes, mentions_of(wanted.allowed_mentions)


def store_files(body: Body, cdn: Cdn, channel_id: int, *, ephemeral: bool = False) -> list[Attachment]:
    """Puts a body's files on the CDN, with the names and descriptions its JSON gives them."""
    described = {str(item.get("id")): item for item in body.object.get("attachments") or () if isinstance(item, dict)}
    stored = []
    for index, file in sorted(body.files.items()):
        about = described.get(str(index), {})
        stored.append(
            cdn.store(
                channel_id,
                about.get("filename") or file.filename,
                file.data,
                content_type=file.content_type,
                description=about.get("description"),
                ephemeral=ephemeral,
            )
        )
    return stored
