"""`markov-shard status`: the fleet at a glance."""

import asyncio
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from coordinator.status import fleet_status
from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings

_COLOURS = {"connected": "green", "connecting": "yellow", "unowned": "red", "failed": "red", "stopped": "red"}


@click.command()
@click.option("--watch", is_flag=True, help="Draw it again every second, until Ctrl-C.")
@data_dir_option
@json_option
def command(watch: bool, data_dir: str | None, as_json: bool) -> None:
    """Shows processes, ranges, shards, latency, queue and caches."""
    if watch and as_json:
        raise click.UsageError("--watch and --json exclude each other")
    run(_status(prepare("status", quiet=True, data_dir=data_dir), watch=watch, as_json=as_json))


async def _status(settings: Settings, *, watch: bool, as_json: bool) -> None:
    async with open_runtime(settings, "status", pool_size=1) as runtime:
        status = await fleet_status(runtime)
        if as_json:
            print_json(status)
            return
        console = Console()
        if not watch:
            console.print(_drawn(status))
            return
        with Live(_drawn(status), console=console, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(1)
                live.update(_drawn(await fleet_status(runtime)), refresh=True)


def _drawn(status: dict[str, Any]) -> Group:
    processes = Table("process", "role", "owns", "up", "health", title=f"led by {status['leader'] or 'nobody'}")
    for process in status["processes"]:
        owns = "draining" if process["draining"] else process["range"] or "-"
        processes.add_row(process["name"], process["role"], owns, f"{process['seconds']:.0f} s", process["url"])
    shards = Table("shard", "state", "owner", "epoch", "latency", "resumes", "identifies", title=status["why"])
    for shard in status["shards"]:
        latency = "-" if shard["latency_ms"] is None else f"{shard['latency_ms']} ms"
        state = Text(shard["state"], style=_COLOURS.get(shard["state"], ""))
        shards.add_row(
            str(shard["shard_id"]),
            state,
            shard["owner"] or "-",
            str(shard["epoch"]),
            latency,
            str(shard["resumes"]),
            str(shard["identifies"]),
        )
    queue, redis, chains = status["queue"], status["caches"]["redis"], status["caches"]["chains"]
    jobs = ", ".join(f"{number} {state}" for state, number in (queue["jobs"] or {}).items()) or "none yet"
    queued = (
        f"queue: {queue['training']} training, {queue['upkeep']} upkeep, {queue['dead']} dead letters; jobs: {jobs}"
    )
    cached = (
        f"caches: {chains['open']} open chains ({chains['bytes'] / 2**20:.1f} MiB); Redis uses"
        f" {redis['used'] / 2**20:.1f} MiB, {redis['hits']} hits, {redis['misses']} misses, {redis['evicted']} evicted"
    )
    return Group(processes, shards, queued, cached)
