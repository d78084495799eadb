"""`markov-shard up`: a whole fleet on this machine."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import click

from markov_shard.cli.options import data_dir_option, prepare, run, stop_on_signals
from markov_shard.cli.supervisor import Role, Supervisor
from markov_shard.errors import (
    DiscordRefusedError,
    DiscordUnavailableError,
    MarkovShardError,
    ServiceUnavailableError,
)
from markov_shard.rest import gateway_info
from markov_shard.runtime import ServiceUrls, service_urls
from markov_shard.settings import Settings
from markov_shard.shared.connect import connect_redis
from markov_shard.store.migrate import migrate

SIM_PORT = 8480


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="Shard processes.")
@click.option("--shards", type=click.IntRange(1, 16_384), help="Gateway shards in all (default: Discord's advice).")
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Training workers.")
@click.option(
    "--sim-port",
    type=click.IntRange(0, 65_535),
    default=SIM_PORT,
    show_default=True,
    help="Port of the local stand-in, used without TOKEN.",
)
@data_dir_option
def command(processes: int, shards: int | None, workers: int, sim_port: int, data_dir: str | None) -> None:
    """Runs coordinator, shard processes, workers and, without TOKEN, the local stand-in for Discord."""
    settings = prepare("up", data_dir=data_dir, shard_count=shards)
    run(_up(settings, processes, workers, sim_port))


async def _up(settings: Settings, processes: int, workers: int, sim_port: int) -> None:
    stop = stop_on_signals()
    local = settings.token is None
    _require_free(settings.http_host, settings.http_port, "the status page", "HTTP_PORT")
    if local:
        _require_free("127.0.0.1", sim_port, "the stand-in", "--sim-port")
    _say(f"starting {processes} shard processes, {workers} worker(s), 1 coordinator; Ctrl-C stops them all")
    async with service_urls(settings) as urls:
        for kind, url in (("Postgres", settings.database_url), ("Redis", settings.redis_url)):
            _say(f"{kind}: {'the server of your settings' if url else f'embedded, under {settings.data_dir}'}")
        await migrate(urls.database)
        await _require_servers(settings, urls)
        sim_url = f"http://127.0.0.1:{sim_port}"
        if local:
            _say("no TOKEN is set: using the local stand-in for Discord")
        supervisor = Supervisor(_roles(settings, urls, processes, workers, sim_port if local else None))
        status_url = f"http://{settings.http_host}:{settings.http_port}"
        async with _announcing(status_url, sim_url if local else None, processes):
            await supervisor.run(stop)
    if supervisor.gave_up:
        raise MarkovShardError(supervisor.gave_up)
    _say("stopped; nothing is left running")


async def _require_servers(settings: Settings, urls: ServiceUrls) -> None:
    """One line now instead of one from every child. Discord's absence is waited out by them, a refusal is not."""
    redis = await connect_redis(urls.redis)
    await redis.aclose()
    if settings.token is not None:
        try:
            await gateway_info(settings)
        except DiscordRefusedError:
            raise
        except DiscordUnavailableError as error:
            _say(f"Discord does not answer yet: {error}")


def _roles(settings: Settings, urls: ServiceUrls, processes: int, workers: int, sim_port: int | None) -> list[Role]:
    """The fleet's processes; the last to be stopped has the highest stage."""
    shared = {
        "DATABASE_URL": urls.database,
        "REDIS_URL": urls.redis,
        "DATA_DIR": str(settings.data_dir.absolute()),
        "SHARD_COUNT": str(settings.shard_count or (0 if sim_port is None else 2 * processes)),
        "LOG_LEVEL": settings.log_level,
        "LOG_FORMAT": "text" if settings.log_format == "auto" else settings.log_format,
    }
    roles = []
    if sim_port is not None:
        from discord_sim import DEMO_TOKEN  # only where the stand-in is used

        shared |= {"TOKEN": DEMO_TOKEN, "REST_URL": f"http://127.0.0.1:{sim_port}/api/v10"}
        arguments = ["-m", "discord_sim", "--demo", "--port", str(sim_port)]
        roles.append(Role("discord-sim", arguments, stage=2))
    port = {"HTTP_PORT": str(settings.http_port)}
    roles.append(_role("coordinator", "coordinator", {**shared, **port}, stage=1))
    own = {**shared, "HTTP_PORT": "0"}
    roles += [_role(f"shard-{number}", "shard", own) for number in range(1, processes + 1)]
    roles += [_role(f"worker-{number}", "worker", own) for number in range(1, workers + 1)]
    return roles


def _role(name: str, command_name: str, environment: dict[str, str], stage: int = 0) -> Role:
    return Role(name, ["-m", "markov_shard", command_name], {**environment, "PROCESS_NAME": name}, stage)


def _require_free(host: str, port: int, what: str, setting: str) -> None:
    """Raises ServiceUnavailableError when something listens there already, before anything is started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServiceUnavailableError(
                f"port {port} on {host}, for {what}, cannot be used: {error.strerror}; choose another with {setting}"
            ) from None


@asynccontextmanager
async def _announcing(status_url: str, sim_url: str | None, processes: int) -> AsyncIterator[None]:
    """Says, once, that the fleet is ready, and where a person goes now."""

    async def announce() -> None:
        await _until_ready(status_url)
        _say(f"ready: {processes} shard processes serve all guilds")
        if sim_url:
            _say(f"chat with the bot:  {sim_url}/   (pick a guild, write, then /mark)")
        _say(f"status of the fleet: {status_url}/")

    task = asyncio.create_task(announce())
    try:
        yield
    finally:
        task.cancel()


async def _until_ready(status_url: str) -> None:
    """Polls the coordinator until every shard is connected."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            try:
                async with session.get(f"{status_url}/status.json") as response:
                    shards = (await response.json())["shards"] if response.status == 200 else []
                    if shards and all(shard["state"] == "connected" for shard in shards):
                        return
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                pass  # not up yet
            await asyncio.sleep(0.2)


def _say(line: str) -> None:
    click.echo(f"markov-shard | {line}", file=sys.stderr)
