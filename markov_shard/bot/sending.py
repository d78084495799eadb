"""Sending messages: nobody is ever pinged, nothing is sent twice, a missing permission is reported once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import hikari

from markov_shard.bot.timing import replying
from markov_shard.logs import get_logger
from markov_shard.rest import send_message

_log = get_logger(__name__)

MAX_TEXT = 2000
NO_MENTIONS: dict[str, Any] = {"parse": [], "replied_user": False}

Trouble = Literal["View Channel", "Send Messages", "Send Messages in Threads", "Read Message History", "Attach Files"]
"""A permission that Discord said is missing, as its own settings page names it."""

_SILENCING: frozenset[Trouble] = frozenset({"View Channel", "Send Messages", "Send Messages in Threads"})
"""Without one of these there is no answer at all."""

_CANNOT_REPLY = 160002
_MISSING_ACCESS = 50001


@dataclass(frozen=True, slots=True)
class File:
    """A file to send along, and where it came from."""

    name: str
    data: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send: `nonce` makes a second sending of it return the first one."""

    text: str
    nonce: str | None = None
    reply_to: int | None = None
    tts: bool = False
    file: File | None = None

    def body(self) -> dict[str, Any]:
        """The request's JSON, but for the file."""
        body: dict[str, Any] = {"content": self.text[:MAX_TEXT], "allowed_mentions": NO_MENTIONS}
        if self.nonce is not None:
            body |= {"nonce": self.nonce, "enforce_nonce": True}
        if self.reply_to is not None:
            body["message_reference"] = {"message_id": str(self.reply_to), "fail_if_not_exists": False}
        if self.tts:
            body["tts"] = True
        return body


class Messenger:
    """Sends to channels, and remembers where it may not: Discord bans an address that keeps trying."""

    def __init__(self, rest: Callable[[], hikari.api.RESTClient]) -> None:
        self._rest = rest
        self._troubles: dict[int, dict[int, set[Trouble]]] = {}

    def may_send(self, guild_id: int, channel_id: int) -> bool:
        """False where Discord refused a message, until something about the guild's channels or roles changes."""
        known = self._troubles.get(guild_id)
        return known is None or _SILENCING.isdisjoint(known.get(channel_id, ()))

    def forget_troubles(self, guild_id: int) -> None:
        """Permissions may have changed."""
        self._troubles.pop(guild_id, None)

    async def send(
        self, guild_id: int, channel_id: int, message: Outgoing, *, user_id: int | None = None, thread: bool = False
    ) -> int | None:
        """Sends a message; None where the bot may not. `user_id`: who asked, and is told by a direct message.

        `thread`: the channel is one. Raises hikari's errors for anything but a missing permission.
        """
        known: set[Trouble] = self._troubles.get(guild_id, {}).get(channel_id, set())
        if not _SILENCING.isdisjoint(known):
            return None
        message = _without(message, known)
        while True:
            try:
                return await self._send(channel_id, message)
            except hikari.ForbiddenError as error:
                trouble = _trouble(error, message, thread=thread)
                if not self._note(guild_id, channel_id, trouble):
                    return None  # two were under way at once
                _log.warning(
                    "a permission is missing in a channel",
                    guild=str(guild_id),
                    channel=str(channel_id),
                    permission=trouble,
                )
                if trouble in _SILENCING:
                    if user_id is not None:
                        await self._tell(user_id, channel_id, trouble)
                    return None
                message = _without(message, {trouble}, told=True)

    async def _send(self, channel_id: int, message: Outgoing) -> int:
        replying()
        file = hikari.Bytes(message.file.data, message.file.name) if message.file else None
        return await send_message(self._rest(), channel_id, message.body(), file)

    def _note(self, guild_id: int, channel_id: int, trouble: Trouble) -> bool:
        troubles = self._troubles.setdefault(guild_id, {}).setdefault(channel_id, set())
        fresh = trouble not in troubles
        troubles.add(trouble)
        return fresh

    async def _tell(self, user_id: int, channel_id: int, trouble: Trouble) -> None:
        """Tells a member why there is no answer where the bot may not write."""
        text = (
            f"I cannot answer you in <#{channel_id}>: the permission **{trouble}** is missing for me there. "
            "A moderator of the server can grant it; until then I stay silent in that channel."
        )
        try:
            direct = await self._rest().create_dm_channel(user_id)
            await send_message(self._rest(), int(direct.id), Outgoing(text).body())
        except hikari.HikariError as error:
            _log.debug("a member could not be told", reason=str(error).splitlines()[0])


def _trouble(error: hikari.ForbiddenError, message: Outgoing, *, thread: bool) -> Trouble:
    if error.code == _CANNOT_REPLY and message.reply_to is not None:
        return "Read Message History"
    if error.code == _MISSING_ACCESS:
        return "View Channel"
    if message.file is not None:
        return "Attach Files"
    return "Send Messages in Threads" if thread else "Send Messages"


def _without(message: Outgoing, troubles: set[Trouble], *, told: bool = False) -> Outgoing:
    """The message as it can be sent in spite of missing permissions; `told`: and it says which are missing."""
    text, reply_to, file = message.text, message.reply_to, message.file
    note = ""
    if "Read Message History" in troubles and reply_to is not None:
        reply_to = None
        note = "\n-# I cannot reply to messages here: the permission Read Message History is missing for me."
    if "Attach Files" in troubles and file is not None:
        text = with_link(text, file.url)
        file = None
        note = "\n-# I cannot attach files here: the permission Attach Files is missing for me."
    if told and len(text) + len(note) <= MAX_TEXT:
        text += note
    return Outgoing(text, message.nonce, reply_to, message.tts, file)


def with_link(text: str, url: str) -> str:
    """The text with a link under it, where both fit into one message."""
    return f"{text}\n{url}" if len(text) + len(url) < MAX_TEXT else text
