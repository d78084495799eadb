"""Trouble on demand: connections that drop, and REST answers that fail."""

from __future__ import annotations

import re
from dataclasses import dataclass

from discord_sim.gateway.server import Gateway
from discord_sim.state import Json


@dataclass
class RestFault:
    """The next `count` requests whose path matches are answered with `status`."""

    status: int
    count: int
    path: re.Pattern[str]
    retry_after: float = 0.0


class Faults:
    """What is to go wrong, as the control API asked for."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._rest: list[RestFault] = []

    def add(self, wanted: Json) -> int:
        """Arranges the faults of a request; returns how many connections it cut. Raises ValueError."""
        if rest := wanted.get("rest"):
            status = int(rest.get("status", 503))
            path = re.compile(rest.get("path", ""))
            self._rest.append(RestFault(status, int(rest.get("count", 1)), path, float(rest.get("retry_after", 0.0))))
        cut = 0
        if (disconnect := wanted.get("disconnect")) is not None:
            for session in self._gateway.sessions:
                if disconnect.get("shard_id") in (None, session.shard[0]) and session.connected:
                    session.close(int(disconnect.get("code", 4000)), "Asked for by the control API.")
                    if disconnect.get("forget"):
                        self._gateway.sessions.remove(session)
                    cut += 1
        return cut

    def rest_fault(self, path: str) -> RestFault | None:
        """The fault this request meets, counted down."""
        for fault in self._rest:
            if fault.path.search(path):
                fault.count -= 1
                if fault.count <= 0:
                    self._rest.remove(fault)
                return fault
        return None
