"""Sessions, faults, limits, the clock, replays, and the log of what was asked and sent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from discord_sim.client.core import Connected, as_list, as_object, until
from discord_sim.state import Json


class MachineryCalls(Connected):
    async def sessions(self) -> list[Json]:
        """Every session: `shard`, `connected`, `seq`, `identifies` and `resumes` so far."""
        return as_list(await self.call("GET", "sessions"))

    async def wait_for_sessions(self, count: int, *, seconds: float = 20.0) -> list[Json]:
        """The sessions, once `count` of them are connected."""

        async def connected() -> list[Json] | None:
            found = await self.sessions()
            return found if sum(session["connected"] for session in found) == count else None

        return await until(connected, seconds)

    async def faults(self, **wanted: object) -> Json:
        """Arranges what is to go wrong: `rest`, `gateway`, `disconnect`; see docs/discord-sim.md."""
        return as_object(await self.call("POST", "faults", wanted))

    async def fail_requests(self, path: str = "", status: int | None = None, **more: object) -> None:
        """The next `count` (1; None: all) requests whose path matches meet a fault: see `rest` in the document."""
        fault = {"path": path, "status": status, **more}
        await self.faults(rest=fault)

    async def disconnect(self, shard_id: int | None = None, *, how: str = "close", **more: object) -> int:
        """Ends connections by `close` (and `code`), `cut`, `stall`, `reconnect` or `invalid` (op 7, 9); how many."""
        done = await self.faults(disconnect={"shard_id": shard_id, "how": how, **more})
        return int(done["disconnected"])

    async def trouble_gateway(self, **trouble: object) -> None:
        """What is wrong with the gateway from now on, in place of what was; nothing: all is well."""
        await self.faults(gateway=trouble)

    async def clear_faults(self) -> None:
        await self.call("DELETE", "faults")

    async def limits(self, **changes: object) -> Json:
        """Changes limits and returns all: `buckets`, `global_per_second`, `invalid_in_10_minutes`, …"""
        return as_object(await self.call("PATCH", "limits", changes))

    async def advance(self, seconds: float) -> None:
        """Moves the stand-in's clock forward."""
        await self.call("POST", "clock", {"seconds": seconds})

    async def now(self) -> float:
        """The stand-in's Unix time."""
        return float((await self.call("GET", "clock"))["now"])

    # --- load --------------------------------------------------------------------------------------------------

    async def start_replay(
        self,
        channels: Sequence[str],
        *,
        lines: Sequence[str] = (),
        file: str | None = None,
        count: int | None = None,
        rate: float | None = None,
        keep: bool = False,
        authors: Sequence[str] = (),
    ) -> str:
        """Plays a chat log to the gateway; returns the replay's ID at once."""
        body: Json = {"channels": list(channels), "lines": list(lines), "authors": list(authors), "keep": keep}
        optional = {"file": file, "count": count, "rate": rate}
        body |= {name: value for name, value in optional.items() if value is not None}
        return str((await self.call("POST", "replays", body))["id"])

    async def replay(self, replay_id: str) -> Json:
        """How far it is: `sent`, `seconds`, `done`."""
        return as_object(await self.call("GET", f"replays/{replay_id}"))

    async def wait_for_replay(self, replay_id: str, *, seconds: float = 60.0) -> Json:
        async def done() -> Json | None:
            found = await self.replay(replay_id)
            return found if found["done"] else None

        return await until(done, seconds)

    # --- the log -----------------------------------------------------------------------------------------------

    async def log(self, kind: str = "", *, since: int = 0) -> list[Json]:
        """Entries of a kind (`rest`, `dispatch`, `session`) after `since`, oldest first."""
        return as_list(await self.call("GET", f"log?since={since}" + (f"&kind={kind}" if kind else "")))

    async def record(self, *, recording: bool = True, data: bool = False) -> None:
        """Whether the log is written, and whether its dispatches hold the events' data."""
        await self.call("PATCH", "log", {"recording": recording, "data": data})

    async def violations(self) -> list[str]:
        """Where REST answers were not as Discord's document says; needs `--check-answers`."""
        return [str(found) for found in await self.call("GET", "violations")]

    async def clear_log(self) -> None:
        await self.call("DELETE", "log")

    async def requests(self, method: str | None = None, path: str = "") -> list[Json]:
        """The REST requests whose path matches: `method`, `path`, `query`, `body`, `status`."""
        found = await self.log("rest")
        return [entry for entry in found if method in (None, entry["method"]) and re.search(path, entry["path"])]

    async def wait_for_request(self, method: str, path: str, *, count: int = 1, seconds: float = 20.0) -> list[Json]:
        """The matching requests, once there are `count` of them."""

        async def made() -> list[Json] | None:
            found = await self.requests(method, path)
            return found if len(found) >= count else None

        return await until(made, seconds)

    async def dispatches(self, name: str) -> list[Json]:
        """The events of that name: `shard`, `s`, `guild_id`, and `d` where data is recorded."""
        return [entry for entry in await self.log("dispatch") if entry["t"] == name]

    async def wait_for_dispatches(self, name: str, count: int, *, seconds: float = 20.0) -> None:
        """Waits until the gateway has sent `count` events of that name in all. Raises TimeoutError."""

        async def sent() -> bool | None:
            return len(await self.dispatches(name)) >= count or None

        await until(sent, seconds)
