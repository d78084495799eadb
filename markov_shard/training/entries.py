"""One message of a training file, whatever the file's format."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markov_shard.store.messages import StoredMessage

MAX_CHARACTERS = 1 << 20


class BadEntryError(ValueError):
    """The entry cannot be learned; says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as the file has it; IDs are None where the file has none, or has names in their place."""

    text: str
    message_id: int | None = None
    author_id: int | None = None
    channel_id: int | None = None
    """The channel's or, of what was said in a thread, the thread's."""
    attachments: tuple[str, ...] = ()
    parent_id: int | None = None
    """The channel that the thread is under, where the file tells."""
    edited: bool = False
    """Whether the text was changed after it was written: it then replaces what an earlier file had."""

    def stored(self, file_hash: bytes, position: int, *, nsfw: bool) -> StoredMessage:
        """The message as it is stored; without an ID it gets a negative one that the same file gives it again."""
        message_id = self.message_id if self.message_id is not None else made_up_id(file_hash, position)
        return StoredMessage(message_id, self.channel_id, self.author_id, self.text, self.attachments, nsfw)


def made_up_id(file_hash: bytes, position: int) -> int:
    """A stable ID from -1 down to -2**63, from a file's content hash and the entry's position in it."""
    digest = hashlib.blake2b(file_hash + position.to_bytes(8, "big"), digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "big") >> 1)


def parse_entry(value: object) -> Entry | None:
    """A decoded entry: a string, or an object with `message`; None when there is nothing to learn in it.

    Raises BadEntryError.
    """
    if isinstance(value, str):
        return Entry(checked_text(value)) if value.split() else None
    if not isinstance(value, Mapping):
        raise BadEntryError(f"is {_kind(value)}, not a string or an object")
    if "message" not in value:
        raise BadEntryError("has no `message`")
    text = checked_text(value["message"])
    if not text.split():
        return None
    return Entry(
        text,
        _own_id(value.get("id")),
        foreign_id(value.get("author")),
        foreign_id(value.get("channel")),
        attachment_urls(value.get("attachments")),
    )


def parse_exported(value: object, channel_id: int | None) -> Entry | None:
    """A message of a DiscordChatExporter export; None for bots, system messages and messages without text.

    Edits are in `content` already. Raises BadEntryError.
    """
    if not isinstance(value, Mapping):
        raise BadEntryError(f"is {_kind(value)}, not an object")
    author = value.get("author")
    if not isinstance(author, Mapping) or "content" not in value:
        raise BadEntryError("has no `author` or no `content`")
    text = checked_text(value["content"])
    if author.get("isBot") or value.get("type", "Default") not in ("Default", "Reply") or not text.split():
        return None
    return Entry(
        text,
        _own_id(value.get("id")),
        foreign_id(author.get("id")),
        channel_id,
        attachment_urls(value.get("attachments")),
        edited=value.get("timestampEdited") is not None,
    )


def _kind(value: object) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"


def checked_text(value: object) -> str:
    """The text itself. Raises BadEntryError for what is not text, is too long or cannot be stored."""
    if not isinstance(value, str):
        raise BadEntryError(f"its text is {_kind(value)}, not a string")
    if len(value) > MAX_CHARACTERS:
        raise BadEntryError(f"its text has {len(value)} characters; {MAX_CHARACTERS} are allowed")
    if "\0" in value:
        raise BadEntryError("its text contains NUL, or half a surrogate pair")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadEntryError("its text contains a lone surrogate") from None
    return value


def _own_id(value: Any) -> int | None:
    if value is None:
        return None
    number = foreign_id(value)
    if number is None:
        shown = f" {value}" if str(value).isdecimal() else ""  # anything else may be what somebody wrote
        raise BadEntryError(f"its id{shown[:40]} is not a Discord ID")
    return number


def foreign_id(value: Any) -> int | None:
    """An ID, or None for what is not one: other bots' files have names here."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def attachment_urls(value: Any) -> tuple[str, ...]:
    """URLs, given as strings or as objects with `url`."""
    if not isinstance(value, list):
        return ()
    urls = (part.get("url") if isinstance(part, Mapping) else part for part in value)
    return tuple(url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://")))
