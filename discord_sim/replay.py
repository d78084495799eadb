"""A chat log played to the gateway at a chosen rate, each event's JSON made beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from discord_sim.chat import Chat, Draft
from discord_sim.dispatch import Dispatch, redacted
from discord_sim.gateway.server import Gateway
from discord_sim.gateway.session import Session
from discord_sim.ids import iso_at
from discord_sim.shapes import MessageShapes
from discord_sim.state import Channel, Json, User, World

if TYPE_CHECKING:
    from discord_sim.journal import Journal

_TICK_SECONDS = 0.005
_BATCH = 100
_MOST_PREPARED = 50_000
_BACKLOG = 2_000
"""Frames that may wait for a client before the replay waits for it."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An event but for its ID and time: what follows them, with the text and without."""

    channel: Channel
    rest: bytes
    hidden: bytes


class Replay:
    """One replay: `count` messages, `rate` a second (None: as fast as they are read)."""

    def __init__(self, number: int, count: int, rate: float | None) -> None:
        self.id = number
        self.count = count
        self.rate = rate
        self.sent = 0
        self.seconds = 0.0
        self.stopped = False
        self.error: str | None = None
        self.task: asyncio.Task[None] | None = None

    def describe(self) -> Json:
        return {
            "id": str(self.id),
            "count": self.count,
            "sent": self.sent,
            "seconds": self.seconds,
            "done": self.task is None or self.task.done(),
            "error": self.error,
        }


class Replays:
    """Starts replays, and knows how far each has come."""

    def __init__(self, world: World, chat: Chat, shapes: MessageShapes, gateway: Gateway, journal: Journal) -> None:
        self._world = world
        self._chat = chat
        self._shapes = shapes
        self._gateway = gateway
        self._journal = journal
        self._replays: dict[int, Replay] = {}

    def get(self, replay_id: int) -> Replay | None:
        return self._replays.get(replay_id)

    def start(
        self,
        channels: Sequence[Channel],
        authors: Sequence[User],
        lines: Sequence[str],
        *,
        count: int,
        rate: float | None = None,
        keep: bool = False,
    ) -> Replay:
        """Message n is line n by author n in channel n, each list begun again at its end.

        With `keep` the messages are in the channels' histories too, which costs several times the work. Raises
        ValueError when a list is empty or a channel is of no guild.
        """
        if not (channels and authors and lines) or any(channel.guild_id is None for channel in channels):
            raise ValueError("a replay needs channels of guilds, authors and lines")
        replay = Replay(len(self._replays) + 1, count, rate)
        self._replays[replay.id] = replay
        run = self._run_kept if keep else self._run_prepared
        replay.task = asyncio.create_task(self._guarded(replay, run(replay, channels, authors, lines)))
        return replay

    async def stop(self) -> None:
        """Ends all of them."""
        for replay in self._replays.values():
            replay.stopped = True
        await asyncio.gather(*(replay.task for replay in self._replays.values() if replay.task))

    @staticmethod
    async def _guarded(replay: Replay, run: Awaitable[None]) -> None:
        try:
            await run
        except (ValueError, KeyError) as error:
            replay.error = str(error)

    async def _run_kept(
        self, replay: Replay, channels: Sequence[Channel], authors: Sequence[User], lines: Sequence[str]
    ) -> None:
        async for number in self._paced(replay, channels):
            channel = channels[number % len(channels)]
            self._chat.post(channel, authors[number % len(authors)], Draft(lines[number % len(lines)]))

    async def _run_prepared(
        self, replay: Replay, channels: Sequence[Channel], authors: Sequence[User], lines: Sequence[str]
    ) -> None:
        prepared: list[_Prepared] = []
        for number in range(min(replay.count, _MOST_PREPARED)):
            author, line = authors[number % len(authors)], lines[number % len(lines)]
            prepared.append(self._prepare(channels[number % len(channels)], author, line))
            if number % _BATCH == 0:
                await asyncio.sleep(0)
        async for number in self._paced(replay, channels):
            self._send(prepared[number % len(prepared)])

    def _prepare(self, channel: Channel, author: User, line: str) -> _Prepared:
        message = self._chat.build(channel, author, Draft(line))
        event = self._shapes.event(message, channel, self._world.guild_of(channel))
        del event["id"], event["timestamp"]
        return _Prepared(channel, orjson.dumps(event)[1:], orjson.dumps(redacted(event))[1:])

    def _send(self, prepared: _Prepared) -> None:
        message_id = self._world.ids.next()
        head = b'{"id":"%d","timestamp":"%s",' % (message_id, iso_at(message_id).encode())
        guild = self._world.guild_of(prepared.channel)
        for session, hidden in self._gateway.readers_of(prepared.channel):
            session.dispatch("MESSAGE_CREATE", head + (prepared.hidden if hidden else prepared.rest))
            if self._journal.recording:
                self._journal.dispatch(session, Dispatch("MESSAGE_CREATE", {"id": str(message_id)}, guild))

    async def _paced(self, replay: Replay, channels: Sequence[Channel]) -> AsyncIterator[int]:
        """The numbers of messages as they fall due."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while replay.sent < replay.count and not replay.stopped:
            replay.seconds = loop.time() - began
            due = replay.sent + _BATCH if replay.rate is None else int(replay.seconds * replay.rate)
            for number in range(replay.sent, min(due, replay.count)):
                yield number
                replay.sent += 1
                if replay.sent % _BATCH == 0:
                    await asyncio.sleep(0)
            replay.seconds = loop.time() - began
            await asyncio.sleep(0 if replay.rate is None else _TICK_SECONDS)
            while self._backlog(channels) > _BACKLOG and not replay.stopped:  # noqa: ASYNC110
                await asyncio.sleep(_TICK_SECONDS / 5)

    def _backlog(self, channels: Sequence[Channel]) -> int:
        sessions: set[Session] = set()
        for channel in channels[:64]:
            sessions.update(session for session, _ in self._gateway.readers_of(channel))
        return max((session.backlog for session in sessions), default=0)
