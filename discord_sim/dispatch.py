"""One event on its way to everybody who may see it: gateway sessions and live viewers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import orjson

from discord_sim.state import Channel, Guild, Json, Message

_CONTENT_FIELDS = ("attachments", "embeds", "components")


@dataclass
class Dispatch:
    """An event: its name, its data, and what decides who receives it.

    `guild` None means direct messages. `message` is the message of a message event: who wrote it and whom it mentions
    decide whether its content may be seen without the message content intent. `viewer` limits it to one user's live
    view; `application` to one application's sessions.
    """

    t: str
    d: Json
    guild: Guild | None = None
    channel: Channel | None = None
    message: Message | None = None
    application: int | None = None
    viewer: int | None = None
    live: bool = True

    @cached_property
    def encoded(self) -> bytes:
        return orjson.dumps(self.d)

    @cached_property
    def encoded_without_content(self) -> bytes:
        """The data as Discord sends it to an application without the message content intent."""
        return orjson.dumps(redacted(self.d))


def redacted(message: Json) -> Json:
    empty: Json = {**message, "content": "", **{key: [] for key in _CONTENT_FIELDS}}
    if referenced := message.get("referenced_message"):
        empty["referenced_message"] = redacted(referenced)
    return empty


Receiver = Callable[[Dispatch], None]


class Dispatcher:
    """Hands each event to its receivers, in the order they were added."""

    def __init__(self) -> None:
        self._receivers: list[Receiver] = []

    def add(self, receiver: Receiver) -> None:
        self._receivers.append(receiver)

    def send(self, dispatch: Dispatch) -> None:
        for receiver in self._receivers:
            receiver(dispatch)
