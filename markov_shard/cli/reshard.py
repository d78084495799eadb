"""`markov-shard reshard`: changes how many shards the bot has, while it runs."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from coordinator.resharding import ReshardingError, begun, overlaps, taken_back
from coordinator.truth import DatabaseTruth
from markov_shard.bot.service import require_token
from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.rest import guild_count
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.board import RedisBoard
from markov_shard.shared.identify import read_budget
from markov_shard.store.shard_plan import ShardPlan

_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Step:
    """How far a resharding is. `up`: shards of the new set that are connected."""

    state: str
    shards: int
    target: int
    up: int

    def __str__(self) -> str:
        match self.state:
            case "coming up":
                return f"{self.target} new shards come up beside the {self.shards}: {self.up} are connected"
            case "switching":
                return f"{self.shards} shards take over"
            case _:
                return f"the bot has {self.shards} shards" if self.shards else "the fleet has not been placed yet"


@click.command()
@click.argument("shards", type=click.IntRange(1, 100_000), required=False)
@click.option("--abort", is_flag=True, help="Take a resharding back that has not taken over yet.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is over; the fleet goes on by itself.")
@data_dir_option
@json_option
def command(shards: int | None, abort: bool, no_wait: bool, data_dir: str | None, as_json: bool) -> None:
    """Reshards the bot to SHARDS shards; without SHARDS, says how far a resharding is.

    The new set comes up muted beside the old one, takes over at one instant, and the old one goes. It costs SHARDS
    IDENTIFYs of the day's budget and twice the connections for a while.
    """
    if abort and shards is not None:
        raise click.UsageError("SHARDS and --abort exclude each other")
    settings = prepare("reshard", quiet=True, data_dir=data_dir)
    say: Callable[[str], None] = (lambda text: None) if as_json else click.echo
    step = run(_reshard(settings, shards, abort=abort, wait=not no_wait and shards is not None, say=say))
    if as_json:
        print_json(asdict(step))


async def _reshard(
    settings: Settings, shards: int | None, *, abort: bool, wait: bool, say: Callable[[str], None]
) -> Step:
    async with open_runtime(settings, "reshard", pool_size=1) as runtime:
        if shards is not None:
            require_token(settings)
            guilds, budget = await guild_count(settings), await read_budget(runtime.redis)
            await _change(runtime, lambda plan, now: begun(plan, shards, guilds=guilds, budget=budget, now=now))
        elif abort:
            await _change(runtime, taken_back)
            say("the resharding is taken back")
        shown = step = await _look(runtime)
        say(str(step))
        while wait and step.state != "settled":
            await asyncio.sleep(_POLL_SECONDS)
            step = await _look(runtime)
            if step != shown:
                say(str(step))
                shown = step
        if wait and step.shards != shards:
            raise ReshardingError("the resharding was taken back")
    return step


async def _change(runtime: Runtime, change: Callable[[ShardPlan, int], ShardPlan]) -> None:
    """Changes the plan. Raises ReshardingError, also when somebody else changed it at the same time."""
    truth = DatabaseTruth(runtime.database)
    plan = await truth.plan()
    now = (await RedisBoard(runtime.redis).view()).now
    if not await truth.save_plan(change(plan, now), was=plan):
        raise ReshardingError("the plan changed at this very moment: look with `markov-shard reshard`, and try again")


async def _look(runtime: Runtime) -> Step:
    plan = await DatabaseTruth(runtime.database).plan()
    view = await RedisBoard(runtime.redis).view()
    up = {shard_id for member in view.members for shard_id in member.details.get("upcoming", ())}
    placed = view.assignment.shard_count if view.assignment else 0
    if plan.target:
        return Step("coming up", plan.shard_count, plan.target, len(up))
    switching = overlaps(plan, view.now) or placed not in (0, plan.shard_count)
    return Step("switching" if switching else "settled", plan.shard_count, 0, 0)
