"""Discord's message objects, as far as learning reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from markov_shard.snowflakes import made_at_ms
from markov_shard.store.messages import StoredMessage, clean_text

_LEARNED_TYPES = frozenset({0, 19})  # DEFAULT and REPLY: what a person wrote; the rest are system messages
MAX_CONTENT = 4000
"""Characters of a message's text at most (Nitro); Discord sends no more."""


def is_from_person(payload: Mapping[str, Any]) -> bool:
    """Whether a person wrote the message: not a bot, a webhook or Discord itself."""
    author = payload.get("author") or {}
    return not author.get("bot") and "webhook_id" not in payload and payload.get("type", 0) in _LEARNED_TYPES


def author_of(payload: Mapping[str, Any]) -> int:
    """Who wrote the message."""
    return int(payload["author"]["id"])


def roles_of(payload: Mapping[str, Any]) -> Sequence[int]:
    """The author's roles, which come with messages of guilds."""
    return [int(role) for role in (payload.get("member") or {}).get("roles", ())]


def mentions(payload: Mapping[str, Any], user_id: int) -> bool:
    """Whether the message mentions a user, as an answer to one of theirs does too."""
    wanted = str(user_id)
    return any(mentioned["id"] == wanted for mentioned in payload.get("mentions", ()))


def written_at(message_id: int) -> float:
    """When a message was written, in Unix time: its ID says so."""
    return made_at_ms(message_id) / 1000


def stored_message(payload: Mapping[str, Any], *, nsfw: bool) -> StoredMessage:
    """The message as it is stored; text that Postgres and the chain cannot hold is cut out of it."""
    return StoredMessage(
        message_id=int(payload["id"]),
        channel_id=int(payload["channel_id"]),
        author_id=int(payload["author"]["id"]),
        content=clean_text(payload["content"]),
        attachments=tuple(attachment["url"] for attachment in payload.get("attachments", ())),
        nsfw=nsfw,
    )
