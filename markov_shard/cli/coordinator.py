"""`markov-shard coordinator`: placement, failover, command registration and the status page."""

import asyncio

import click

from coordinator.access import Access
from coordinator.acts import Acts
from coordinator.flags import keep_flags
from coordinator.measures import measure_fleet
from coordinator.pages import StatusPage
from coordinator.plan import GatewayPlan
from coordinator.service import Coordinator
from coordinator.status import fleet_status
from coordinator.truth import DatabaseTruth
from coordinator.watch import FleetWatch
from markov_shard.bot.registration import register_commands
from markov_shard.bot.service import build_bot, require_token
from markov_shard.cli.options import data_dir_option, prepare, run, stop_on_signals
from markov_shard.health import Health, serve_health
from markov_shard.health.metrics import Metrics
from markov_shard.health.process import measured_process
from markov_shard.rest import gateway_info, guild_count
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings, reveal
from markov_shard.shared.board import RedisBoard
from markov_shard.shared.identify import Budget
from markov_shard.tasks import end


@click.command()
@data_dir_option
def command(data_dir: str | None) -> None:
    """Runs a coordinator. Run two: one leads, the other takes over when it goes."""
    run(_coordinator(prepare("coordinator", data_dir=data_dir)))


async def _coordinator(settings: Settings) -> None:
    require_token(settings)
    stop = stop_on_signals()

    async def ask_discord() -> GatewayPlan:
        info = await gateway_info(settings)
        limit = info.session_start_limit
        budget = Budget(limit.total, limit.remaining, int(limit.reset_after.total_seconds() * 1000))
        return GatewayPlan(info.shard_count, limit.max_concurrency, budget, await guild_count(settings))

    async with open_runtime(settings, "coordinator", pool_size=4) as runtime:
        health = Health("coordinator", runtime.name)
        metrics = Metrics()
        watch = FleetWatch(lambda: fleet_status(runtime))
        measure_fleet(metrics, watch)
        acts = Acts(runtime)
        changes = {"drain": acts.drain, "undrain": acts.undrain, "set-flag": acts.set_flag}
        routes = StatusPage(watch, Access(reveal(settings.status_token)), changes).routes()
        async with (
            measured_process(metrics, health, runtime.database) as measured,
            serve_health(
                health, settings.http_host, settings.http_port, routes=routes, registry=metrics.registry
            ) as url,
        ):
            coordinator = Coordinator(
                runtime.name,
                RedisBoard(runtime.redis),
                DatabaseTruth(runtime.database),
                ask_discord=ask_discord,
                register_commands=lambda: register_commands(build_bot(settings), settings),
                keep=lambda: keep_flags(runtime),
                shard_count=settings.shard_count,
                url=url,
                details=measured.details,
            )
            health.add("coordination", coordinator.finding)
            watching = asyncio.create_task(watch.run(), name="fleet watch")
            try:
                await coordinator.run(stop)
            finally:
                await end([watching])
