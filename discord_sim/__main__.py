"""`python -m discord_sim`: the stand-in alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import click

from discord_sim.demo import add_application, add_demo
from discord_sim.gateway.server import GatewayLimits
from discord_sim.rest.contract import Contract
from discord_sim.rest.limits import RestLimits
from discord_sim.server import DiscordSim


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8480, help="Port to listen on; 0 takes a free one.")
@click.option("--public-url", default="", help="What clients are told to connect to (default: where it listens).")
@click.option("--demo", is_flag=True, help="Begin with six servers of a few members each.")
@click.option("--max-concurrency", type=click.IntRange(1, 256), default=16, help="IDENTIFY buckets.")
@click.option("--sessions-a-day", type=click.IntRange(1), default=1000, help="IDENTIFYs a bot has each day.")
@click.option("--heartbeat", type=click.FloatRange(0.1, 3600), default=41.25, help="Heartbeat interval in seconds.")
@click.option("--rest-limits/--no-rest-limits", default=True, help="Enforce REST's rate limits; off for measuring.")
@click.option("--log/--no-log", "recording", default=True, help="Keep the log of requests and events; off for load.")
@click.option("--stubs", type=click.IntRange(0, 1_000_000), default=0, help="Servers to make up beside others.")
@click.option(
    "--check-answers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Discord's OpenAPI document, to check every REST answer against; for tests.",
)
@click.option(
    "--parent-fd",
    type=click.IntRange(0),
    envvar="MARKOV_PARENT_FD",
    hidden=True,
    help="Stop when the pipe of this descriptor is closed at its other end.",
)
def command(
    host: str,
    port: int,
    public_url: str,
    demo: bool,
    max_concurrency: int,
    sessions_a_day: int,
    heartbeat: float,
    rest_limits: bool,
    recording: bool,
    stubs: int,
    check_answers: Path | None,
    parent_fd: int | None,
) -> None:
    """A local stand-in for Discord: gateway, REST, CDN and a chat page, in memory.

    Bots connect with the REST URL http://HOST:PORT/api/v10 and the token of `discord_sim.DEMO_TOKEN`.
    """
    limits = GatewayLimits(heartbeat, max_concurrency, sessions_a_day)
    rest = RestLimits() if rest_limits else RestLimits(buckets=False, global_per_second=None)
    contract = _contract(check_answers) if check_answers else None
    sim = DiscordSim(public_url=public_url, limits=limits, rest_limits=rest, contract=contract)
    sim.journal.recording = recording
    add_application(sim)
    sim.world.guilds.add_stubs(stubs)
    try:
        asyncio.run(_serve(sim, host, port, demo=demo, parent_fd=parent_fd))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        click.echo(f"discord-sim: cannot listen on {host}:{port}: {reason}; choose --port", err=True)
        sys.exit(1)


def _contract(file: Path) -> Contract:
    try:
        return Contract.read(file)
    except ImportError:
        raise click.ClickException("--check-answers needs the package jsonschema-rs") from None
    except (ValueError, KeyError, TypeError):
        raise click.ClickException(f"--check-answers: {file} is not Discord's OpenAPI document") from None


async def _serve(sim: DiscordSim, host: str, port: int, *, demo: bool, parent_fd: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_fd is not None:  # started by `markov-shard up`: leave when it is gone, however it went

        def on_orphaned() -> None:
            loop.remove_reader(parent_fd)
            stop.set()

        loop.add_reader(parent_fd, on_orphaned)
    async with sim.serving(host, port) as url:
        if demo:
            add_demo(sim)
        click.echo(f"listening on {url}")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """The program's entry."""
    command()


if __name__ == "__main__":
    main()
