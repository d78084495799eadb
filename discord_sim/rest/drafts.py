"""A message as a client asks for it: checked against Discord's limits, its files put on the CDN."""

from __future__ import annotations

from typing import Any

from discord_sim.cdn import Cdn
from discord_sim.chat import EPHEMERAL, Draft
from discord_sim.ids import parse_snowflake
from discord_sim.rest.bodies import Body
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.state import Attachment, Json

MAX_CONTENT = 2000
_SETTABLE_FLAGS = EPHEMERAL | 1 << 2 | 1 << 12 | 1 << 15
_EMBED_LIMITS = {"title": 256, "description": 4096}


def read_draft(body: Body, cdn: Cdn, channel_id: int, *, may_be_empty: bool = False) -> Draft:
    """Raises ApiError where Discord would refuse the message."""
    json = body.object
    content = _content(json)
    embeds, components = _embeds(json), _components(json)
    if not (may_be_empty or content or embeds or components or body.files):
        raise ApiError(Code.EMPTY_MESSAGE)
    flags = int(json.get("flags") or 0) & _SETTABLE_FLAGS
    reference = json.get("message_reference") or {}
    return Draft(
        content,
        attachments=store_files(body, cdn, channel_id, ephemeral=bool(flags & EPHEMERAL)),
        embeds=embeds,
        components=components,
        allowed_mentions=json.get("allowed_mentions"),
        reply_to=parse_snowflake(reference.get("message_id")),
        nonce=_nonce(json),
        enforce_nonce=bool(json.get("enforce_nonce")),
        flags=flags,
        tts=bool(json.get("tts")),
    )


def read_changes(body: Body, cdn: Cdn, channel_id: int, present: list[Attachment]) -> Json:
    """The attributes of a message that an edit sets. Raises ApiError."""
    json = body.object
    changes: Json = {}
    if "content" in json:
        changes["content"] = _content(json)
    if "embeds" in json:
        changes["embeds"] = _embeds(json)
    if "components" in json:
        changes["components"] = _components(json)
    if "attachments" in json or body.files:
        kept = {parse_snowflake(item.get("id")) for item in json.get("attachments") or ()}
        held = present if "attachments" not in json else [item for item in present if item.id in kept]
        changes["attachments"] = held + store_files(body, cdn, channel_id)
    return changes


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


def _content(json: Json) -> str:
    content = json.get("content")
    if content is None:
        return ""
    if not isinstance(content, str):
        raise invalid("content", "STRING_TYPE_CONVERT", "Could not interpret value as string.")
    if len(content) > MAX_CONTENT:
        raise invalid("content", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")
    return content


def _nonce(json: Json) -> str | int | None:
    nonce: Any = json.get("nonce")
    if isinstance(nonce, str) and len(nonce) > 25:
        raise invalid("nonce", "NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer in length.")
    return nonce if isinstance(nonce, str | int) else None


def _embeds(json: Json) -> list[Json]:
    embeds = json.get("embeds") or []
    if len(embeds) > 10:
        raise invalid("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    total = 0
    for number, embed in enumerate(embeds):
        for name, limit in _EMBED_LIMITS.items():
            _limit(f"embeds.{number}.{name}", embed.get(name) or "", limit)
            total += len(embed.get(name) or "")
        fields = embed.get("fields") or []
        if len(fields) > 25:
            raise invalid(f"embeds.{number}.fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        for place, field in enumerate(fields):
            for name, limit in (("name", 256), ("value", 1024)):
                if not field.get(name):
                    raise invalid(
                        f"embeds.{number}.fields.{place}.{name}", "BASE_TYPE_REQUIRED", "This field is required"
                    )
                _limit(f"embeds.{number}.fields.{place}.{name}", field[name], limit)
                total += len(field[name])
        total += len((embed.get("footer") or {}).get("text") or "") + len((embed.get("author") or {}).get("name") or "")
    if total > 6000:
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
    return [{"type": "rich", **embed} for embed in embeds]


def _limit(path: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise invalid(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def _components(json: Json) -> list[Json]:
    components = json.get("components") or []
    if len(components) > 5:
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    numbers = iter(range(1, 1000))

    def numbered(component: Json, path: str) -> Json:
        made = {"id": next(numbers), **component}
        if component.get("type") == 3 and len(component.get("options") or ()) > 25:
            raise invalid(f"{path}.options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
        if "components" in component:
            made["components"] = [
                numbered(part, f"{path}.components.{place}") for place, part in enumerate(component["components"])
            ]
        return made

    return [numbered(component, f"components.{place}") for place, component in enumerate(components)]
