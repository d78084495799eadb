"""What was asked of the stand-in and what it sent, for tests to assert on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from discord_sim.clock import Clock
from discord_sim.state import Json

if TYPE_CHECKING:
    from discord_sim.dispatch import Dispatch
    from discord_sim.gateway.session import Session


class Journal:
    """The last `limit` entries, each with a `seq` that grows by one."""

    def __init__(self, clock: Clock, limit: int = 50_000) -> None:
        self._clock = clock
        self._entries: deque[Json] = deque(maxlen=limit)
        self._seq = 0
        self.recording = True
        self.with_data = False
        """Whether entries of dispatches hold the events' data too."""

    def record(self, kind: str, **entry: object) -> None:
        if not self.recording:
            return
        self._seq += 1
        self._entries.append({"seq": self._seq, "kind": kind, "at": self._clock.wall(), **entry})

    def dispatch(self, session: Session, dispatch: Dispatch) -> None:
        """An event that a session was sent, with the session's newest sequence."""
        if not self.recording:
            return
        data: Json = {"d": dispatch.d} if self.with_data else {}
        guild_id = None if dispatch.guild is None else str(dispatch.guild.id)
        shard = list(session.shard)
        self.record(
            "dispatch", shard=shard, session_id=session.id, s=session.seq, t=dispatch.t, guild_id=guild_id, **data
        )

    def clear(self) -> None:
        self._entries.clear()

    def since(self, seq: int, kind: str | None = None) -> list[Json]:
        """Entries after `seq`, oldest first."""
        return [e for e in self._entries if e["seq"] > seq and (kind is None or e["kind"] == kind)]
