"""`markov-shard status`: the fleet at a glance, the status page's twin in the terminal."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from coordinator.status import fleet_status
from coordinator.watch import FleetWatch
from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.logs import as_one_line
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings

_COLOURS = {"connected": "green", "connecting": "yellow", "unowned": "red", "failed": "red", "stopped": "red"}
_MARKS = {"connected": "■", "connecting": "…", "failed": "✗", "unowned": "?", "stopped": "–"}
_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 24
_DETAILED = 32
"""Up to so many shards each gets a line; more are shown as cells, and those in trouble as lines."""


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
        if as_json:
            print_json(await fleet_status(runtime))
            return
        console = Console()
        if not watch:
            console.print(drawn(await fleet_status(runtime)))
            return
        looking = FleetWatch(lambda: fleet_status(runtime))
        await looking.look()
        with Live(drawn(looking.document), console=console, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(1)
                await looking.look()
                live.update(drawn(looking.document), refresh=True)


def drawn(status: Mapping[str, Any]) -> Group:
    """The fleet's document, with or without its past, for the terminal."""
    parts: list[RenderableType] = []
    if status.get("trouble"):
        parts.append(Text(f"{as_one_line(status['trouble'])}; shown is what was known before", style="bold red"))
    if "processes" not in status:
        return Group(*parts)
    if status.get("history"):
        parts.append(Columns([_figure(*figure) for figure in _figures(status)], padding=(0, 3)))
    if status.get("resharding"):
        to = status["resharding"]
        parts.append(Text(f"resharding to {to['shards']}: {to['connected']} of them are connected", style="yellow"))
    if status.get("suggested_shards"):
        command = f"markov-shard reshard {status['suggested_shards']}"
        parts.append(Text(f"the shards are filling up: {command}", style="yellow"))
    parts += [_processes(status), _shards(status), _queue(status), _caches(status)]
    if status.get("flags"):
        parts.append(_flags(status["flags"]))
    if "happened" in status:
        parts.append(_happened(status["happened"][:8]))
    return Group(*parts)


def _figures(status: Mapping[str, Any]) -> Iterable[tuple[str, str, Sequence[float]]]:
    past = {name: [point[name] for point in status["history"]] for name in status["history"][-1]}
    yield "shards connected", f"{past['connected'][-1]} of {len(status['shards'])}", past["connected"]
    yield "replies/s", f"{past['replies'][-1]:.1f}", past["replies"]
    yield "learned/s", f"{past['learned'][-1]:.1f}", past["learned"]
    yield "jobs", f"{past['queue'][-1]}", past["queue"]
    yield "latency", f"{past['latency_ms'][-1]} ms", past["latency_ms"]


def _figure(title: str, value: str, past: Sequence[float]) -> Text:
    points = past[-_POINTS:]
    top = max(points) or 1.0
    bars = "".join(_BARS[round(point / top * (len(_BARS) - 1))] for point in points)
    return Text.assemble((f"{title} ", "dim"), (value, "bold"), " ", (bars, "blue"))


def _processes(status: Mapping[str, Any]) -> Table:
    table = Table(
        "process",
        "role",
        "owns",
        Column("shards", overflow="fold", ratio=1),
        "memory",
        "lag",
        "up",
        title=f"led by {status['leader'] or 'nobody'}",
    )
    for process in status["processes"]:
        owned = [shard for shard in status["shards"] if shard["owner"] == process["name"]]
        memory = f"{process['memory'] / 2**20:.0f} MiB" if process["memory"] else "-"
        table.add_row(
            process["name"],
            process["role"],
            Text("draining", style="yellow") if process["draining"] else process["range"] or "-",
            _cells(owned),
            memory,
            f"{process['lag_ms']} ms",
            f"{process['seconds']:.0f} s",
        )
    if nobody := [shard for shard in status["shards"] if shard["owner"] is None]:
        table.add_row("nobody", "-", "-", _cells(nobody), "-", "-", "-")
    return table


def _cells(shards: Iterable[Mapping[str, Any]]) -> Text:
    return Text.assemble(*((_MARKS.get(s["state"], "?"), _COLOURS.get(s["state"], "")) for s in shards))


def _shards(status: Mapping[str, Any]) -> Table | str:
    shards = status["shards"]
    if len(shards) > _DETAILED:
        shards = [shard for shard in shards if shard["state"] != "connected"][:_DETAILED]
        if not shards:
            return f"{status['why']}; all {len(status['shards'])} shards are connected"
    table = Table("shard", "state", "owner", "epoch", "latency", "resumes", "identifies", title=status["why"])
    for shard in shards:
        state = f"{shard['state']}: {as_one_line(shard['error'])}" if shard["error"] else shard["state"]
        table.add_row(
            str(shard["shard_id"]),
            Text(state, style=_COLOURS.get(shard["state"], "")),
            shard["owner"] or "-",
            str(shard["epoch"]),
            "-" if shard["latency_ms"] is None else f"{shard['latency_ms']} ms",
            str(shard["resumes"]),
            str(shard["identifies"]),
        )
    return table


def _queue(status: Mapping[str, Any]) -> str:
    queue = status["queue"]
    lanes = ", ".join(f"{figures['depth']} {lane}" for lane, figures in queue["lanes"].items())
    jobs = ", ".join(f"{number} {state}" for state, number in (queue["jobs"] or {}).items()) or "none yet"
    return f"queue: {lanes}, {queue['dead']} dead letters; jobs: {jobs}"


def _caches(status: Mapping[str, Any]) -> str:
    redis, chains = status["caches"]["redis"], status["caches"]["chains"]
    return (
        f"caches: {chains['open']} open chains ({chains['bytes'] / 2**20:.1f} MiB; {chains['hits']} hits,"
        f" {chains['misses']} misses); Redis uses {redis['used'] / 2**20:.1f} MiB, {redis['hits']} hits,"
        f" {redis['misses']} misses, {redis['evicted']} evicted"
    )


def _flags(flags: Sequence[Mapping[str, Any]]) -> str:
    shown = (f"{f['flag']} {f['percentage']} %{f' + {len(forced)}' if (forced := f['forced']) else ''}" for f in flags)
    return f"flags: {', '.join(shown)}"


def _happened(happened: Sequence[Mapping[str, Any]]) -> Text:
    lines = [
        (
            f"{time.strftime('%H:%M:%S', time.localtime(h['at']))} {as_one_line(h['text'])}\n",
            "red" * (h["kind"] == "error"),
        )
        for h in happened
    ]
    return Text.assemble(*lines) if lines else Text("nothing happened since", style="dim")
