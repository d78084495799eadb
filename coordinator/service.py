"""The coordinator: several may run, one leads by a lease; the leader decides who owns what.

Its decisions lie in Redis and the proof of ownership in Postgres, so a coordinator keeps nothing that the next
leader could miss, and shards go on serving while none runs.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coordinator.placement import place
from coordinator.plan import AskDiscord, GatewayPlan
from coordinator.ports import Board, Truth
from coordinator.resharding import decided, is_up, overlaps, suggested
from markov_shard.errors import DiscordUnavailableError, MarkovShardError
from markov_shard.health import Finding, Verdict
from markov_shard.logs import get_logger
from markov_shard.ranges import GuildRange
from markov_shard.shared.assignment import Assignment
from markov_shard.shared.board import BoardView
from markov_shard.shared.members import Member
from markov_shard.store.shard_plan import ShardPlan
from markov_shard.tasks import end

_log = get_logger(__name__)

_SETTLE_SECONDS = 1.5
"""How long the first placement waits after the latest arrival, so that a starting fleet is placed once."""

_ASK_SECONDS = 60.0
"""How often Discord is asked for the session budget; the ledger counts between."""


async def _nothing() -> None:
    pass


class Coordinator:
    """Takes part in leading; run it beside the health server. All its dealings with servers go through ports."""

    def __init__(
        self,
        name: str,
        board: Board,
        truth: Truth,
        *,
        ask_discord: AskDiscord,
        register_commands: Callable[[], Awaitable[None]],
        keep: Callable[[], Awaitable[None]] = _nothing,
        shard_count: int = 0,
        url: str = "",
        details: Callable[[], Mapping[str, Any]] = dict,
        tick: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keep`: more that the leader looks after each second; `shard_count`: for the first placement, 0 takes
        Discord's recommendation."""
        self._name = name
        self._board = board
        self._truth = truth
        self._ask_discord = ask_discord
        self._register_commands = register_commands
        self._keep = keep
        self._shard_count = shard_count
        self._url = url
        self._details = details
        self._tick = tick
        self._clock = clock
        self._plan: GatewayPlan | None = None
        self._asked_at = float("-inf")
        self._registering: asyncio.Task[None] | None = None
        self._leading = False
        self._suggested: int | None = None
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
                await end([self._registering])
            with contextlib.suppress(MarkovShardError):
                await self._board.step_down(self._name)

    async def _once(self) -> None:
        try:
            leader = await self._board.lead(self._name)
            if (leader == self._name) is not self._leading:
                self._leading = leader == self._name
                _log.info("this coordinator leads" if self._leading else "another coordinator leads", leader=leader)
            guilds = self._plan.guilds if self._leading and self._plan else None
            details = {"leads": self._leading, "guilds": guilds, **self._details()}
            await self._board.beat(Member(self._name, "coordinator", self._url, details=details))
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
        gateway = await self._gateway_plan()
        plan = await self._truth.plan()
        await self._board.open_gate(gateway.budget, ran_before=plan.ran_before)
        self._suggest(gateway, plan)
        await self._place(gateway, plan)
        await self._keep()
        if self._registering is None:
            self._registering = asyncio.create_task(self._register(), name="registering commands")

    async def _gateway_plan(self) -> GatewayPlan:
        """What Discord says; asked again now and then, and only the first question must be answered."""
        if self._plan is None or self._clock() - self._asked_at > _ASK_SECONDS:
            try:
                self._plan = await self._ask_discord()
            except DiscordUnavailableError:
                if self._plan is None:
                    raise
            else:
                if self._plan.budget.is_low:
                    left = self._plan.budget.remaining
                    _log.error("few IDENTIFYs are left today: only lost sessions are replaced", left=left)
            self._asked_at = self._clock()
        return self._plan

    def _suggest(self, gateway: GatewayPlan, plan: ShardPlan) -> None:
        """Says once when guilds a shard come near Discord's limit."""
        target = suggested(gateway.guilds, plan.shard_count) if not plan.target else None
        if target and target != self._suggested:
            command = f"markov-shard reshard {target}"
            _log.warning("shards are filling up", guilds=gateway.guilds, shards=plan.shard_count, suggestion=command)
        self._suggested = target

    # --- placement ------------------------------------------------------------------------------------------

    async def _place(self, gateway: GatewayPlan, plan: ShardPlan) -> None:
        view = await self._board.view()
        serving = [member for member in view.members if member.role == "shard" and not member.draining]
        present = view.assignment
        if not serving or (not _any_assigned(present, serving) and min(m.age for m in serving) < _SETTLE_SECONDS):
            return
        if plan.shard_count == 0:
            plan = await self._first_plan(gateway, plan)
        elif plan.target and present and is_up(plan.target, view.members) and not plan.switch_at > view.now:
            plan = await self._switch(plan, view)
        decision = await self._decide(gateway, plan, view, serving)
        if present and replace(decision, why=present.why) == present:
            return
        if await self._board.assign(self._name, decision):
            shown = {name: f"{part.first}-{part.last}" for name, part in decision.ranges.items()}
            _log.info("placed the shards", why=decision.why, of=decision.shard_count, **shown)

    async def _first_plan(self, gateway: GatewayPlan, plan: ShardPlan) -> ShardPlan:
        first = replace(plan, shard_count=self._shard_count or gateway.shards)
        return first if await self._truth.save_plan(first, was=plan) else await self._truth.plan()

    async def _switch(self, plan: ShardPlan, view: BoardView) -> ShardPlan:
        """Commits the switch of a resharding whose new set is up."""
        after = decided(plan, view.now)
        if not await self._truth.save_plan(after, was=plan):
            return await self._truth.plan()
        _log.info("resharding: the new set is up and takes over", shards=after.shard_count, switch_at=after.switch_at)
        return after

    async def _decide(
        self, gateway: GatewayPlan, plan: ShardPlan, view: BoardView, serving: Sequence[Member]
    ) -> Assignment:
        present = view.assignment
        active, upcoming = plan.shard_count, plan.target
        if present and present.upcoming_count == plan.shard_count != present.shard_count and overlaps(plan, view.now):
            active, upcoming = present.shard_count, plan.shard_count
        before = await self._before(active, present)
        names = [member.name for member in serving]
        capacities = {member.name: member.capacity for member in serving}
        ranges = place(active, names, before, capacities)
        coming: Mapping[str, GuildRange] = {}
        if upcoming:
            coming = place(upcoming, names, present.upcoming if present else {}, capacities)
        why = _why(present, before, ranges.keys(), active, upcoming)
        return Assignment(active, gateway.max_concurrency, ranges, why, upcoming, coming, plan.switch_at)

    async def _before(self, shard_count: int, present: Assignment | None) -> Mapping[str, GuildRange]:
        """Who owns what now: as was decided, or, where Redis lost that, as the leases say."""
        if present and present.shard_count == shard_count:
            return present.ranges
        if present and present.upcoming_count == shard_count:
            return present.upcoming
        held: dict[str, list[int]] = {}
        for lease in await self._board.leases(shard_count):
            if lease.holder:
                held.setdefault(lease.holder, []).append(lease.shard_id)
        return {name: GuildRange(min(ids), max(ids), shard_count) for name, ids in held.items()}

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
        if self._leading and self._plan and self._plan.budget.is_low:
            left = self._plan.budget.remaining
            return Finding(Verdict.DEGRADED, f"{left} IDENTIFYs are left today: only lost sessions are replaced")
        if self._leading and self._suggested:
            return Finding(Verdict.OK, f"leads; shards are filling up: markov-shard reshard {self._suggested}")
        return Finding(Verdict.OK, "leads" if self._leading else "stands by")


def _any_assigned(present: Assignment | None, serving: Sequence[Member]) -> bool:
    return present is not None and any(member.name in present.ranges for member in serving)


def _why(
    present: Assignment | None, before: Mapping[str, GuildRange], names: Collection[str], active: int, upcoming: int
) -> str:
    """What a new placement answers to, in words."""
    if present is None:
        return "Redis was emptied: placed by the leases" if before else "first placement"
    if active != present.shard_count:
        return f"resharded from {present.shard_count} to {active}"
    if upcoming != present.upcoming_count:
        return f"resharding to {upcoming} begins" if upcoming else "the resharding was taken back"
    joined = sorted(set(names) - present.ranges.keys())
    left = sorted(present.ranges.keys() - set(names))
    changes = [f"{', '.join(joined)} joined"] if joined else []
    changes += [f"{', '.join(left)} left"] if left else []
    return "; ".join(changes) or "capacity, concurrency or resharding changed"
