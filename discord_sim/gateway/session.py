"""A session: what outlives a socket. Its sequence, its intents, and the events a RESUME replays."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from discord_sim.ids import shard_of
from discord_sim.state import Application, Json

RESUME_SECONDS = 180.0
REPLAY_LIMIT = 20_000


class Socket(Protocol):
    """The connection a session speaks through."""

    latency: float

    @property
    def backlog(self) -> int: ...

    def send(self, frame: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def cut(self) -> None: ...


Frame = bytes | Callable[[], bytes]
"""An event's bytes, or what makes them again: what is large and can be remade is not kept for a RESUME."""


class ReplayBuffer:
    """The newest events, at most `limit` and no older than `seconds` while the session is connected."""

    def __init__(self, limit: int = REPLAY_LIMIT, seconds: float = RESUME_SECONDS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._events: deque[tuple[int, float, Frame]] = deque()
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, seq: int, frame: Frame, now: float, *, age: bool) -> None:
        self._events.append((seq, now, frame))
        while len(self._events) > self._limit or (age and self._events[0][1] < now - self._seconds):
            self._forgotten = self._events.popleft()[0]

    def after(self, seq: int) -> list[bytes] | None:
        """Frames after `seq` in order, or None when some of them are gone."""
        if seq < self._forgotten:
            return None
        return [f if isinstance(f, bytes) else f() for number, _, f in self._events if number > seq]


class Session:
    """One IDENTIFY's worth of gateway: survives its socket for RESUME_SECONDS."""

    def __init__(
        self,
        application: Application,
        shard: tuple[int, int],
        intents: int,
        clock: Callable[[], float],
        replay_events: int = REPLAY_LIMIT,
    ) -> None:
        self.id = secrets.token_hex(16)
        self.application = application
        self.shard = shard
        self.intents = intents
        self.seq = 0
        self.resumes = 0
        self.buffer = ReplayBuffer(replay_events)
        self._clock = clock
        self._socket: Socket | None = None
        self._stalled = False
        self._lost_at = clock()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    @property
    def expired(self) -> bool:
        return self._socket is None and self._clock() - self._lost_at > RESUME_SECONDS

    def attach(self, socket: Socket) -> None:
        """Speak through `socket` from now on; an older one still open is closed."""
        if self._socket is not None and self._socket is not socket:
            self._socket.close(4000, "Session resumed elsewhere.")
        self._socket = socket
        self._stalled = False

    def detach(self, socket: Socket) -> None:
        if self._socket is socket:
            self._socket = None
            self._lost_at = self._clock()

    def close(self, code: int, reason: str) -> None:
        if self._socket is not None:
            self._socket.close(code, reason)

    @property
    def backlog(self) -> int:
        """Frames that wait for the client to read."""
        return 0 if self._socket is None else self._socket.backlog

    def close_current(self) -> Callable[[], None]:
        """What closes the socket of now, and no later one."""
        socket = self._socket
        return lambda: None if socket is None else socket.close(4000, "Reconnect was asked for.")

    def set_latency(self, seconds: float) -> None:
        if self._socket is not None:
            self._socket.latency = seconds

    def cut(self) -> None:
        """Drop the connection as a failing network does."""
        if self._socket is not None:
            self._socket.cut()

    def stall(self) -> None:
        """The connection of now stays open and brings no more events; a RESUME on another replays them."""
        self._stalled = True

    def send_raw(self, frame: bytes) -> None:
        """Send something that is not an event: no sequence, no replay."""
        if self._socket is not None:
            self._socket.send(frame)

    def dispatch(self, event: str, data: bytes, again: Callable[[], bytes] | None = None) -> None:
        """Number an event, keep it for a RESUME, and send it if there is a socket. `data` is encoded JSON.

        With `again`, which makes the data anew, the data is not kept.
        """
        self.seq += 1
        frame = _frame(event, self.seq, data)
        kept = frame if again is None else _remade(event, self.seq, again)
        self.buffer.add(self.seq, kept, self._clock(), age=self.connected)
        if self._socket is not None and not self._stalled:
            self._socket.send(frame)

    def resumed(self) -> None:
        """Say that the replay is complete. Not itself an event to replay, so it repeats the last sequence."""
        self.resumes += 1
        self.send_raw(b'{"t":"RESUMED","s":%d,"op":0,"d":{"_trace":["[]"]}}' % self.seq)


def _frame(event: str, seq: int, data: bytes) -> bytes:
    return b'{"t":"%s","s":%d,"op":0,"d":%s}' % (event.encode(), seq, data)


def _remade(event: str, seq: int, again: Callable[[], bytes]) -> Callable[[], bytes]:
    return lambda: _frame(event, seq, again())


class SessionTable:
    """Every session that can still receive or be resumed, found by ID or by the guild it serves."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._by_count: dict[int, dict[int, list[Session]]] = {}
        self.identifies: dict[tuple[int, int], int] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def add(self, session: Session) -> None:
        self._prune()
        self._sessions[session.id] = session
        shard_id, count = session.shard
        self._by_count.setdefault(count, {}).setdefault(shard_id, []).append(session)
        self.identifies[session.shard] = self.identifies.get(session.shard, 0) + 1

    def get(self, session_id: str) -> Session | None:
        self._prune()
        return self._sessions.get(session_id)

    def remove(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is not None:
            shard_id, count = session.shard
            self._by_count[count][shard_id].remove(session)

    def for_guild(self, guild_id: int | None) -> list[Session]:
        """The sessions an event of the guild goes to, at every shard count in use; None: shard 0."""
        found: list[Session] = []
        for count, shards in self._by_count.items():
            shard_id = 0 if guild_id is None else shard_of(guild_id, count)
            found += shards.get(shard_id, ())
        if any(session.expired for session in found):
            self._prune()
            found = [session for session in found if not session.expired]
        return found

    def describe(self) -> list[Json]:
        self._prune()
        return [
            {
                "session_id": session.id,
                "application_id": str(session.application.id),
                "shard": list(session.shard),
                "connected": session.connected,
                "seq": session.seq,
                "buffered": len(session.buffer),
                "identifies": self.identifies[session.shard],
                "resumes": session.resumes,
                "intents": session.intents,
            }
            for session in self._sessions.values()
        ]

    def _prune(self) -> None:
        for session in [found for found in self._sessions.values() if found.expired]:
            self.remove(session)
