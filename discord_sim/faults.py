"""Trouble on demand: connections that drop, and REST requests that fail, hang, or meet a changed world."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discord_sim.gateway.server import Gateway
from discord_sim.gateway.session import Session
from discord_sim.gateway.trouble import GatewayTrouble, Pattern
from discord_sim.state import Json

_MOST_SECONDS = 120.0


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Deny(_Wanted):
    """The permissions `bits` are denied to the bot in `channel`."""

    channel: str
    bits: int


class RestFault(_Wanted):
    """What befalls the next `count` requests that match (null: all, until cleared), after `skip` others.

    `status` answers instead of the route; `latency` comes before; `drop` cuts the connection before the request is
    handled or after it (the answer is lost); `delete_channel` and `deny` change the world just before.
    """

    path: Pattern = ""
    """A regular expression that is searched for in the path."""
    method: str | None = None
    skip: int = Field(0, ge=0)
    count: int | None = Field(1, ge=1)
    chance: float = Field(1.0, gt=0, le=1)
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    code: int = 0
    message: str = "A fault that was asked for."
    retry_after: float = Field(1.0, ge=0)
    scope: Literal["user", "global", "shared"] = "user"
    latency: float = Field(0.0, ge=0, le=_MOST_SECONDS)
    drop: Literal["before", "after"] | None = None
    delete_channel: str | None = None
    deny: Deny | None = None

    @model_validator(mode="after")
    def _does_something(self) -> RestFault:
        if not (self.status or self.latency or self.drop or self.delete_channel or self.deny):
            self.status = 503
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and bool(self._pattern.search(path))


class Disconnect(_Wanted):
    """Ends connections of one shard, or of all: by a close code, a cut line, opcode 7, or opcode 9.

    `stall` leaves them open, heartbeats acknowledged, and sends no more events on them.
    """

    shard_id: int | None = None
    code: int = Field(4000, ge=1000, le=4999)
    how: Literal["close", "cut", "stall", "reconnect", "invalid"] = "close"
    resumable: bool = False
    """Opcode 9's `d`."""
    forget: bool = False
    """The session is over: a RESUME will be refused."""


class Faults:
    """What is to go wrong, as the control API asked for."""

    def __init__(self, gateway: Gateway, change: Callable[[RestFault], None], seed: int = 0) -> None:
        self._gateway = gateway
        self._change = change
        self._rest: list[RestFault] = []
        self._random = random.Random(seed)

    def add(self, wanted: Json) -> int:
        """Arranges the faults of a request: `rest` (one or a list), `gateway`, `disconnect`.

        Returns how many connections it ended. Raises ValueError for what it does not know.
        """
        if unknown := wanted.keys() - {"rest", "gateway", "disconnect"}:
            raise ValueError(f"there is no kind of fault {min(unknown)!r}")
        rest = wanted.get("rest") or []
        made = [RestFault.model_validate(item) for item in (rest if isinstance(rest, list) else [rest])]
        gateway = wanted.get("gateway")
        trouble = None if gateway is None else GatewayTrouble.model_validate(gateway)
        end = wanted.get("disconnect")
        disconnect = None if end is None else Disconnect.model_validate(end)
        self._rest += made
        if trouble is not None:
            self._gateway.set_trouble(trouble)
        return 0 if disconnect is None else self._disconnect(disconnect)

    def clear(self) -> None:
        """Everything works again."""
        self._rest.clear()
        self._gateway.set_trouble(GatewayTrouble())

    def describe(self) -> Json:
        return {
            "rest": [fault.model_dump(exclude_defaults=True) for fault in self._rest],
            "gateway": self._gateway.trouble.model_dump(exclude_defaults=True),
        }

    def rest_fault(self, method: str, path: str) -> RestFault | None:
        """The fault this request meets, counted down; what it changes is changed."""
        for fault in self._rest:
            if not fault.matches(method, path) or self._random.random() >= fault.chance:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._rest.remove(fault)
            self._change(fault)
            return fault
        return None

    def _disconnect(self, wanted: Disconnect) -> int:
        chosen = [s for s in self._gateway.sessions if s.connected and wanted.shard_id in (None, s.shard[0])]
        for session in chosen:
            self._end(session, wanted)
            if wanted.forget or (wanted.how == "invalid" and not wanted.resumable):
                self._gateway.sessions.remove(session)
        return len(chosen)

    def _end(self, session: Session, wanted: Disconnect) -> None:
        match wanted.how:
            case "close":
                session.close(wanted.code, "Asked for by the control API.")
            case "cut":
                session.cut()
            case "stall":
                session.stall()
            case "reconnect":
                self._gateway.ask_to_reconnect(session)
            case "invalid":
                self._gateway.invalidate(session, resumable=wanted.resumable)
