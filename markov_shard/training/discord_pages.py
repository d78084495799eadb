"""Discord's history, a page at a time, with patience while Discord is in trouble."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import hikari

from markov_shard.logs import get_logger
from markov_shard.store.messages import StoredMessage, clean_text

_log = get_logger(__name__)
R = TypeVar("R")

MAY_NOT = (hikari.ForbiddenError, hikari.NotFoundError)
"""What cannot be read, and is not to be asked for again: Discord bans addresses that insist."""

_LEARNED_TYPES = (hikari.MessageType.DEFAULT, hikari.MessageType.REPLY)

_WAITS = (5.0, 15.0, 60.0, 300.0, 600.0, 900.0)
"""Seconds between tries while Discord is in trouble; hikari has tried a few times by itself before each."""


class Pages:
    """Pages of channels' messages."""

    size = 100

    def __init__(
        self, rest: hikari.api.RESTClient, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._rest = rest
        self._sleep = sleep

    async def before(self, channel_id: int, message_id: int | None) -> Sequence[hikari.Message]:
        """The messages before one or, without one, the newest; newest first, fewer than `size` at the beginning.

        Raises one of MAY_NOT, and other errors of hikari's when Discord stays in trouble.
        """
        start = message_id if message_id is not None else hikari.UNDEFINED
        return await self.asked(lambda: self._ask(channel_id, before=start).limit(self.size))

    async def newest(self, channel_id: int) -> int:
        """The ID of a channel's newest message; 0 where there is none. Raises as `before`."""
        found = await self.asked(lambda: self._ask(channel_id).limit(1))
        return int(found[0].id) if found else 0

    async def after(self, channel_id: int, message_id: int, up_to: int) -> Sequence[hikari.Message]:
        """The messages after one and up to another, oldest first; fewer than `size` where these are all. Raises as
        `before`.

        Without an end, hikari would ask again until a page is full or nothing is new: in a busy channel, for ever.
        """

        def ask() -> Awaitable[Sequence[hikari.Message]]:
            found = self._ask(channel_id, after=message_id)
            return found.take_until(lambda message: message.id > up_to).limit(self.size)

        return await self.asked(ask)

    def _ask(
        self,
        channel_id: int,
        *,
        before: hikari.UndefinedOr[int] = hikari.UNDEFINED,
        after: hikari.UndefinedOr[int] = hikari.UNDEFINED,
    ) -> hikari.LazyIterator[hikari.Message]:
        return self._rest.fetch_messages(channel_id, before=before, after=after)

    async def asked(self, ask: Callable[[], Awaitable[R]]) -> R:
        """The answer to any request, asked again while Discord fails on its side."""
        for wait in _WAITS:
            try:
                return await ask()
            except (hikari.InternalServerError, hikari.RateLimitTooLongError, OSError, TimeoutError) as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                _log.warning("Discord does not answer; trying again", seconds=wait, reason=reason)
                await self._sleep(wait)
        return await ask()


def is_learned(message: hikari.Message) -> bool:
    """Whether a person wrote it, and something can be learned from it."""
    person = not message.author.is_bot and message.webhook_id is None and message.type in _LEARNED_TYPES
    return person and bool((message.content or "").split())


def stored_form(message: hikari.Message, *, nsfw: bool) -> StoredMessage:
    """The message as it is stored."""
    return StoredMessage(
        int(message.id),
        int(message.channel_id),
        int(message.author.id),
        clean_text(message.content or ""),
        tuple(attachment.url for attachment in message.attachments),
        nsfw,
    )
