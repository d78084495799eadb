"""What is wrong with the gateway, as a test asked for it."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from discord_sim.dispatch import Dispatch


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_compiles)]
Chance = Annotated[float, Field(ge=0, le=1)]


class GatewayTrouble(BaseModel):
    """Lasts until it is replaced. The chances are those of each event whose name `events` matches."""

    model_config = ConfigDict(extra="forbid")

    refuse: bool = False
    """New sockets are answered 503."""
    silent: bool = False
    """Heartbeats are not acknowledged."""
    refuse_resume: bool = False
    """Every RESUME gets opcode 9."""
    resume_url: str | None = None
    """What READY names as the address to resume at."""
    latency: float = Field(0.0, ge=0, le=60)
    """Seconds by which everything the gateway sends is late."""
    duplicate: Chance = 0.0
    reorder: Chance = 0.0
    """An event comes after the one that follows it (or 50 ms late, when none does)."""
    drop: Chance = 0.0
    events: Pattern = "^MESSAGE_"
    seed: int = 0


class Disturbance:
    """Decides what becomes of each event on its way to one session."""

    def __init__(self, trouble: GatewayTrouble) -> None:
        self._trouble = trouble
        self._events = re.compile(trouble.events)
        self._random = random.Random(trouble.seed)
        self._held: defaultdict[str, list[Dispatch]] = defaultdict(list)

    def pass_on(self, session_id: str, dispatch: Dispatch) -> list[Dispatch]:
        """What is to be sent now, in this order; held back events come with a later call."""
        if not self._events.search(dispatch.t):
            return [*self.release(session_id), dispatch]
        if self._random.random() < self._trouble.drop:
            return []
        copies = 2 if self._random.random() < self._trouble.duplicate else 1
        if self._random.random() < self._trouble.reorder:
            self._held[session_id] += [dispatch] * copies
            return []
        return [dispatch] * copies + self.release(session_id)

    def release(self, session_id: str) -> list[Dispatch]:
        return self._held.pop(session_id, [])

    @property
    def needed(self) -> bool:
        return bool(self._trouble.duplicate or self._trouble.reorder or self._trouble.drop)
