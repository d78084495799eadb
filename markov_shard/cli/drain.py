"""`markov-shard drain`: has a shard process hand its shards over, or serve again."""

import asyncio
import time
from dataclasses import dataclass

import click

from coordinator.acts import Acts
from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.errors import MarkovShardError
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.assignment import read_assignment
from markov_shard.shared.leases import read_leases
from markov_shard.shared.members import read_members

_POLL_SECONDS = 0.1


class DrainError(MarkovShardError):
    """A process did not hand its shards over in time; says how many it still has."""


@dataclass(frozen=True)
class _Wanted:
    process: str
    undo: bool
    timeout: float


@click.command()
@click.argument("process")
@click.option("--undo", is_flag=True, help="Give it shards again.")
@click.option(
    "--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds to wait for; 0: do not wait."
)
@data_dir_option
@json_option
def command(process: str, undo: bool, timeout: float, data_dir: str | None, as_json: bool) -> None:
    """Has PROCESS hand all its shards over, sessions kept, so that it can be stopped or moved; it then serves nothing.

    It is given shards again with --undo, or when it is restarted.
    """
    settings = prepare("drain", quiet=True, data_dir=data_dir)
    shards, seconds = run(_drain(settings, _Wanted(process, undo, timeout)))
    if as_json:
        print_json({"process": process, "draining": not undo, "shards": shards, "seconds": round(seconds, 3)})
    elif undo:
        click.echo(f"{process} serves again")
    elif shards and not timeout:
        click.echo(f"{process} hands its {shards} shard(s) over")
    else:
        click.echo(f"{process} has handed everything over ({seconds:.1f} s); it can be stopped now")


async def _drain(settings: Settings, wanted: _Wanted) -> tuple[int, float]:
    """How many shards the process has afterwards, and how long it took."""
    began = time.monotonic()
    async with open_runtime(settings, "drain", pool_size=1) as runtime:
        acts = Acts(runtime)
        await (acts.undrain if wanted.undo else acts.drain)({"process": wanted.process})
        left = await _shards_of(runtime, wanted.process)
        while left and not wanted.undo and wanted.timeout:
            if time.monotonic() - began > wanted.timeout:
                raise DrainError(
                    f"{wanted.process} still has {left} shard(s) after {wanted.timeout:g} s; it goes on handing over:"
                    " see `markov-shard status`, and that a coordinator runs"
                )
            await asyncio.sleep(_POLL_SECONDS)
            left = await _shards_of(runtime, wanted.process)
    return left, time.monotonic() - began


async def _shards_of(runtime: Runtime, process: str) -> int:
    """How many shards, of either set while the fleet is resharded, a process has; none when it is gone."""
    assignment = await read_assignment(runtime.redis)
    if assignment is None or all(member.name != process for member in await read_members(runtime.redis)):
        return 0
    counts = {assignment.shard_count, assignment.upcoming_count} - {0}
    leases = [lease for count in counts for lease in await read_leases(runtime.redis, count)]
    return sum(lease.holder == process for lease in leases)
