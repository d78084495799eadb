"""The hikari bot of a shard process: its shards come and go with ownership instead of all starting at once.

The few private names of hikari used here are listed in `tests/contract/`, as those of `bot/gateway.py` are.
"""

import time
from typing import Any

import hikari

from markov_shard.bot.gateway import FleetShard, IdentifyGate, OnDispatch, ResumePoint, ShardRules
from markov_shard.rest_limits import keep_to
from markov_shard.rest_lines import keep_lines_moving
from markov_shard.shared.rest_budget import RestBudget

_URL_SECONDS = 600.0


class FleetBot(hikari.GatewayBot):
    """A bot whose shards come and go with ownership instead of all starting at once."""

    __slots__ = ("_asked_at", "_fleet", "_gateway_url", "rest_budget")

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        keep_lines_moving(self.rest)
        self._fleet: set[FleetShard] = set()
        self._gateway_url: str | None = None
        self._asked_at = 0.0
        self.rest_budget: RestBudget | None = None
        """What its requests keep to, once it is open; None: nothing but the limits of routes."""

    async def open(self, shard_count: int) -> None:
        """Starts everything but shards. Raises hikari's errors when Discord refuses the token or is away."""
        try:
            await self.start(
                shard_ids=(), shard_count=shard_count, ignore_session_start_limit=True, check_for_updates=False
            )
        except BaseException:
            await self.close()
            raise
        if self.rest_budget is not None:
            keep_to(self.rest_budget, self.rest)

    async def add_shard(
        self,
        shard_id: int,
        shard_count: int,
        *,
        gate: IdentifyGate,
        rules: ShardRules,
        on_dispatch: OnDispatch,
        resume: ResumePoint | None,
        activity: hikari.Activity | None = None,
    ) -> FleetShard:
        """Connects a shard; returns when it is READY or RESUMED. Raises hikari's error of a fatal close."""
        shard = FleetShard(
            gate=gate,
            rules=rules,
            on_dispatch=on_dispatch,
            resume=resume,
            http_settings=self._http_settings,
            proxy_settings=self._proxy_settings,
            event_manager=self._event_manager,
            event_factory=self._event_factory,
            intents=self._intents,
            dumps=self._dumps,
            loads=self._loads,
            initial_activity=activity,
            shard_id=shard_id,
            shard_count=shard_count,
            token=self._token,
            url=await self._dial_url(),
        )
        self._fleet.add(shard)
        self._show(shard_id)
        try:
            await shard.start()
        except BaseException:
            await self.drop_shard(shard)
            raise
        return shard

    async def _dial_url(self) -> str:
        """Where new sessions begin; asked for once in a while, and not for each shard of a hand-over."""
        if self._gateway_url is None or time.monotonic() - self._asked_at > _URL_SECONDS:
            self._gateway_url = (await self.rest.fetch_gateway_bot_info()).url
            self._asked_at = time.monotonic()
        return self._gateway_url

    def _show(self, shard_id: int) -> None:
        """hikari's own table knows one shard an ID; during a resharding there may be two, of different counts."""
        found = [shard for shard in self._fleet if shard.id == shard_id]
        if found:
            self._shards[shard_id] = max(found, key=lambda shard: shard.shard_count)
        else:
            self._shards.pop(shard_id, None)

    async def drop_shard(self, shard: FleetShard) -> None:
        """Closes a shard's connection, keeping its session."""
        self._fleet.discard(shard)
        self._show(shard.id)
        await shard.leave()
