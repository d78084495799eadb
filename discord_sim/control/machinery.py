"""The control API's routes for the machinery: sessions, faults, limits, the clock, replays and the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from discord_sim.control.base import ControlPart
from discord_sim.history import read_lines
from discord_sim.ids import parse_snowflake
from discord_sim.rest.app import answer, no_content
from discord_sim.rest.bodies import read_body
from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import Channel


class MachineryRoutes(ControlPart):
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sim/live", self._sim.live.handle),
            web.get("/sim/sessions", self.sessions),
            web.get("/sim/faults", self.faults),
            web.post("/sim/faults", self.add_faults),
            web.delete("/sim/faults", self.clear_faults),
            web.get("/sim/limits", self.limits),
            web.patch("/sim/limits", self.set_limits),
            web.get("/sim/clock", self.clock),
            web.post("/sim/clock", self.advance),
            web.post("/sim/replays", self.replay),
            web.get("/sim/replays/{replay}", self.one_replay),
            web.delete("/sim/replays/{replay}", self.stop_replay),
            web.get("/sim/violations", self.violations),
            web.get("/sim/log", self.log),
            web.patch("/sim/log", self.set_log),
            web.delete("/sim/log", self.clear_log),
        ]

    async def sessions(self, request: web.Request) -> web.Response:
        return answer(self._sim.gateway.sessions.describe())

    # --- what is to go wrong -----------------------------------------------------------------------------------

    async def faults(self, request: web.Request) -> web.Response:
        return answer(self._sim.faults.describe())

    async def add_faults(self, request: web.Request) -> web.Response:
        return answer({"disconnected": self._sim.faults.add((await read_body(request)).object)})

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._sim.faults.clear()
        return no_content()

    async def limits(self, request: web.Request) -> web.Response:
        rest, gateway = self._sim.limiter.limits, self._sim.gateway.limits
        return answer(
            {
                "buckets": rest.buckets,
                "global_per_second": rest.global_per_second,
                "invalid_in_10_minutes": rest.invalid_in_10_minutes,
                "heartbeat_interval": gateway.heartbeat_interval,
                "max_concurrency": gateway.max_concurrency,
                "replay_events": gateway.replay_events,
            }
        )

    async def set_limits(self, request: web.Request) -> web.Response:
        """REST's `buckets`, `global_per_second`, `invalid_in_10_minutes`; the gateway's `heartbeat_interval`,
        `max_concurrency`, `replay_events`.
        """
        wanted = (await read_body(request)).object
        rest, gateway = self._sim.limiter.limits, self._sim.gateway
        for name, value in wanted.items():
            match name, value:
                case "buckets", bool():
                    rest.buckets = value
                case "global_per_second" | "invalid_in_10_minutes", int() | None:
                    setattr(rest, name, value)
                case "heartbeat_interval", int() | float() if value > 0:
                    gateway.limits.heartbeat_interval = value
                case "max_concurrency", int() if value > 0:
                    gateway.limits.max_concurrency = gateway.buckets.max_concurrency = value
                case "replay_events", int() if value > 0:
                    gateway.limits.replay_events = value
                case _:
                    raise ValueError(f"there is no limit {name!r} of {value!r}")
        return await self.limits(request)

    async def clock(self, request: web.Request) -> web.Response:
        return answer({"now": self._sim.clock.wall(), "iso": self._sim.clock.iso()})

    async def advance(self, request: web.Request) -> web.Response:
        self._sim.clock.advance(float((await read_body(request)).object["seconds"]))
        return no_content()

    # --- load --------------------------------------------------------------------------------------------------

    async def replay(self, request: web.Request) -> web.Response:
        """Plays `lines`, or the chat log in `file`, to the gateway: `count` messages in `channels`, `rate` a second."""
        wanted = (await read_body(request)).object
        channels = [self._named(item) for item in wanted["channels"]]
        lines = list(wanted.get("lines") or ())
        if "file" in wanted:
            lines = await asyncio.to_thread(read_lines, Path(str(wanted["file"])))
        guild = self._world.guild_of(channels[0]) if channels else None
        people = [m.user for m in guild.members.values() if not m.user.bot] if guild else []
        authors = [self._user(item) for item in wanted.get("authors") or ()] or people
        rate = wanted.get("rate")
        replay = self._sim.replays.start(
            channels,
            authors,
            lines,
            count=int(wanted.get("count", len(lines))),
            rate=None if rate is None else float(rate),
            keep=bool(wanted.get("keep")),
        )
        return answer(replay.describe(), 201)

    def _named(self, value: object) -> Channel:
        channel = self._world.channels.get(parse_snowflake(value) or 0)
        if channel is None:
            raise ApiError(Code.UNKNOWN_CHANNEL)
        return channel

    async def one_replay(self, request: web.Request) -> web.Response:
        replay = self._sim.replays.get(parse_snowflake(request.match_info["replay"]) or 0)
        if replay is None:
            raise ApiError(Code.NOT_FOUND)
        return answer(replay.describe())

    async def stop_replay(self, request: web.Request) -> web.Response:
        replay = self._sim.replays.get(parse_snowflake(request.match_info["replay"]) or 0)
        if replay is not None:
            replay.stopped = True
        return no_content()

    # --- the log -----------------------------------------------------------------------------------------------

    async def log(self, request: web.Request) -> web.Response:
        since = parse_snowflake(request.query.get("since")) or 0
        return answer(self._sim.journal.since(since, request.query.get("kind")))

    async def violations(self, request: web.Request) -> web.Response:
        """Where answers were not as the document of `--check-answers` says."""
        return answer(self._sim.violations)

    async def set_log(self, request: web.Request) -> web.Response:
        """`recording` at all, and `data`: whether entries of dispatches hold the event."""
        wanted = (await read_body(request)).object
        self._sim.journal.recording = bool(wanted.get("recording", self._sim.journal.recording))
        self._sim.journal.with_data = bool(wanted.get("data", self._sim.journal.with_data))
        return no_content()

    async def clear_log(self, request: web.Request) -> web.Response:
        self._sim.journal.clear()
        return no_content()
