"""`markov-shard shard`: gateway connections for the guilds this process owns."""

import asyncio

import click

from markov_shard.allocator import give_memory_back, settle_heap
from markov_shard.bot.service import ShardService, require_token
from markov_shard.cli.options import data_dir_option, prepare, run, stop_on_signals
from markov_shard.errors import DiscordRefusedError, DiscordUnavailableError
from markov_shard.health import Finding, Health, Verdict, serve_health
from markov_shard.health.process import measured_process
from markov_shard.logs import get_logger
from markov_shard.ownership.agent import OwnershipAgent
from markov_shard.ownership.epochs import DatabaseEpochs
from markov_shard.rest import gateway_info
from markov_shard.rest_limits import budget_finding
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.coordination import FleetCoordination
from markov_shard.shared.identify import FleetIdentifyGate, RedisTickets
from markov_shard.tasks import end

_log = get_logger(__name__)


@click.command()
@data_dir_option
def command(data_dir: str | None) -> None:
    """Runs a shard process; a coordinator tells it which guilds it owns."""
    run(_shard(prepare("shard", data_dir=data_dir)))


async def _shard(settings: Settings) -> None:
    require_token(settings)
    give_memory_back()
    stop = stop_on_signals()
    async with open_runtime(settings, "shard") as runtime:
        health = Health("shard", runtime.name)
        gate = FleetIdentifyGate(RedisTickets(runtime.redis), runtime.name)
        service = ShardService(runtime, gate, on_superseded=lambda owner: agent.superseded(owner.key, owner.epoch))
        async with (
            measured_process(service.metrics, health, runtime.database) as measured,
            serve_health(health, settings.http_host, settings.http_port, registry=service.metrics.registry) as url,
        ):
            agent = OwnershipAgent(
                runtime.name,
                FleetCoordination(runtime.redis, runtime.name),
                DatabaseEpochs(runtime.database, runtime.name),
                service.hosting,
                url=url,
                details=lambda: {**service.figures(), **measured.details()},
                on_concurrency=lambda buckets: setattr(gate, "max_concurrency", buckets),
            )
            service.hosting.tenure = agent
            health.add("storage", service.storage_finding)
            health.add("rest", lambda: budget_finding(service.rest_budget))
            health.add("ownership", lambda: _ownership(agent))
            health.set_shards(service.shard_findings)
            if await _discord_answers(settings, stop):
                async with service.running():
                    settle_heap()
                    giving_up = asyncio.create_task(_stop_when(service.watch.beyond_repair, stop), name="giving up")
                    try:
                        await agent.run(stop)
                    finally:
                        await end([giving_up])
                if service.watch.beyond_repair.is_set():
                    raise DiscordUnavailableError(f"this process ends to be started anew: {service.watch.why}")


async def _stop_when(event: asyncio.Event, stop: asyncio.Event) -> None:
    await event.wait()
    stop.set()


def _ownership(agent: OwnershipAgent) -> Finding:
    if agent.trouble:
        return Finding(Verdict.DEGRADED, f"shards are kept without Redis: {agent.trouble}")
    return Finding(Verdict.OK, f"holds {len(agent.held)} shard(s)")


async def _discord_answers(settings: Settings, stop: asyncio.Event) -> bool:
    """Waits until Discord answers; False when asked to stop first. Raises when it refuses the token."""
    while not stop.is_set():
        try:
            await gateway_info(settings)
        except DiscordRefusedError:
            raise
        except DiscordUnavailableError as error:
            _log.warning("Discord does not answer; trying again", reason=str(error))
            await asyncio.sleep(1)
        else:
            return True
    return False
