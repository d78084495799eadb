"""The coordinator: several may run, one leads by a lease; the leader decides who owns what.

Its decisions lie in Redis and the proof of ownership in Postgres, so a coordinator keeps nothing that the next
leader could miss, and shards go on serving while none runs.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from coordinator.flags import keep_flags
from coordinator.placement import place
from coordinator.plan import AskDiscord, GatewayPlan
from markov_shard.errors import DiscordUnavailableError, MarkovShardError
from markov_shard.health import Finding, Verdict
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.assignment import Assignment, read_assignment, write_assignment
from markov_shard.shared.identify import open_gate
from markov_shard.shared.leases import release_leadership, take_leadership
from markov_shard.shared.members import Member, beat, leave, read_members
from markov_shard.store.epochs import any_epoch

_log = get_logger(__name__)

_SETTLE_SECONDS = 1.5
"""How long the first placement waits after the latest arrival, so that a starting fleet is placed once."""


class Coordinator:
    """Takes part in leading; run it beside the health server."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        ask_discord: AskDiscord,
        register_commands: Callable[[], Awaitable[None]],
        url: str = "",
        details: Callable[[], Mapping[str, Any]] = dict,
        tick: float = 1.0,
    ) -> None:
        self._runtime = runtime
        self._ask_discord = ask_discord
        self._register_commands = register_commands
        self._url = url
        self._details = details
        self._tick = tick
        self._plan: GatewayPlan | None = None
        self._registering: asyncio.Task[None] | None = None
        self._leading = False
        self.trouble: str | None = None
        """Why this coordinator cannot do its work now; None while all is well."""

    async def run(self, stop: asyncio.Event) -> None:
        """Coordinates until `stop` is set; the standby then leads at once."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._once()
                await asyncio.wait([stopped], timeout=self._tick)
        finally:
            stopped.cancel()
            if self._registering is not None:
                self._registering.cancel()
            with contextlib.suppress(MarkovShardError):
                await release_leadership(self._runtime.redis, self._runtime.name)
                await leave(self._runtime.redis, self._runtime.name)

    async def _once(self) -> None:
        redis, name = self._runtime.redis, self._runtime.name
        try:
            leader = await take_leadership(redis, name)
            if (leader == name) is not self._leading:
                self._leading = leader == name
                _log.info("this coordinator leads" if self._leading else "another coordinator leads", leader=leader)
            await beat(
                redis, Member(name, "coordinator", self._url, details={"leads": self._leading, **self._details()})
            )
            if self._leading:
                await self._lead()
        except MarkovShardError as error:
            if self.trouble is None:
                _log.error("cannot coordinate; trying again", reason=str(error))
            self.trouble = str(error)
            return
        if self.trouble is not None:
            _log.info("coordinating again")
            self.trouble = None

    async def _lead(self) -> None:
        plan = await self._gateway_plan()
        async with self._runtime.database.connection() as connection:
            ran_before = await any_epoch(connection)
        await open_gate(self._runtime.redis, sessions_existed=ran_before)
        await self._place(plan)
        await keep_flags(self._runtime)
        if self._registering is None:
            self._registering = asyncio.create_task(self._register(), name="registering commands")

    async def _gateway_plan(self) -> GatewayPlan:
        if self._plan is None:
            self._plan = await self._ask_discord()
        return self._plan

    async def _place(self, plan: GatewayPlan) -> None:
        members = await read_members(self._runtime.redis)
        serving = [member for member in members if member.role == "shard" and not member.draining]
        present = await read_assignment(self._runtime.redis)
        if not serving or (not _any_assigned(present, serving) and min(m.age for m in serving) < _SETTLE_SECONDS):
            return
        shard_count = self._runtime.settings.shard_count or (present.shard_count if present else plan.shards)
        ranges = place(shard_count, [member.name for member in serving], present.ranges if present else {})
        if present and (ranges, shard_count, plan.max_concurrency) == (
            present.ranges,
            present.shard_count,
            present.max_concurrency,
        ):
            return
        why = _why(present, ranges.keys())
        decided = Assignment(shard_count, plan.max_concurrency, ranges, why)
        if await write_assignment(self._runtime.redis, self._runtime.name, decided):
            _log.info(
                "placed the shards", why=why, **{name: f"{part.first}-{part.last}" for name, part in ranges.items()}
            )

    async def _register(self) -> None:
        """Registers slash commands; Discord away only delays it."""
        while True:
            try:
                await self._register_commands()
            except DiscordUnavailableError as error:
                _log.warning("commands cannot be registered; trying again", reason=str(error))
                await asyncio.sleep(5)
            else:
                _log.info("slash commands are registered")
                return

    def finding(self) -> Finding:
        """Whether coordination works, for the health page."""
        if self.trouble:
            return Finding(Verdict.DEGRADED, f"cannot coordinate: {self.trouble}")
        return Finding(Verdict.OK, "leads" if self._leading else "stands by")


def _any_assigned(present: Assignment | None, serving: Sequence[Member]) -> bool:
    return present is not None and any(member.name in present.ranges for member in serving)


def _why(present: Assignment | None, names: Collection[str]) -> str:
    """What a new placement answers to, in words."""
    if present is None:
        return "first placement"
    joined = sorted(set(names) - present.ranges.keys())
    left = sorted(present.ranges.keys() - set(names))
    changes = [f"{', '.join(joined)} joined"] if joined else []
    changes += [f"{', '.join(left)} left"] if left else []
    return "; ".join(changes) or "shard count or concurrency changed"
