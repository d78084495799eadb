"""`markov-shard flags`: rollout flags, live for the whole fleet."""

import getpass
import socket
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import cast

import click
from rich.console import Console
from rich.table import Table

from markov_shard.cli.options import Snowflake, data_dir_option, json_option, prepare, print_json, run
from markov_shard.flags import FLAGS, Flag, Rollout, first_rollouts, hundredths_of
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.flags import publish_flags
from markov_shard.store.flags import (
    FlagChange,
    FlagValues,
    change_flag,
    ensure_flags,
    flag_history,
    with_forced,
)

_HISTORY = 20


class Percentage(click.ParamType[Decimal]):
    """0 to 100, hundredths allowed."""

    name = "PERCENT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(str(value).removesuffix("%"))
            exact = number.is_finite() and 0 <= number <= 100 and number == round(number, 2)
        except InvalidOperation:
            exact = False
        if not exact:
            self.fail(f"{value!r} is not a percentage (0 to 100, with at most two decimal places)", param, ctx)
        return number


flag_argument = click.argument("flag", type=click.Choice(FLAGS))
by_option = click.option("--by", "changed_by", metavar="NAME", help="Who changes it, for the history.")


@click.group()
def command() -> None:
    """Shows and changes rollout flags; a change is in effect in every process within a second."""


@command.command("show")
@click.option("--history", type=click.IntRange(0, 1000), default=_HISTORY, show_default=True, help="Latest changes.")
@data_dir_option
@json_option
def show(history: int, data_dir: str | None, as_json: bool) -> None:
    """Shows every flag, and who changed what and when."""
    _run(prepare("flags", quiet=True, data_dir=data_dir), None, as_json=as_json, history=history)


@command.command("set")
@flag_argument
@click.argument("percentage", type=Percentage())
@by_option
@data_dir_option
@json_option
def set_percentage(flag: str, percentage: Decimal, changed_by: str | None, data_dir: str | None, as_json: bool) -> None:
    """Rolls a flag out to PERCENTAGE of all guilds."""
    hundredths = hundredths_of(percentage)
    change = _Change(flag, lambda rollout: Rollout(hundredths, rollout.forced), changed_by)
    _run(prepare("flags", quiet=True, data_dir=data_dir), change, as_json=as_json)


@command.command("force")
@flag_argument
@click.argument("guilds", type=Snowflake(), nargs=-1, required=True)
@by_option
@data_dir_option
@json_option
def force(flag: str, guilds: tuple[int, ...], changed_by: str | None, data_dir: str | None, as_json: bool) -> None:
    """Turns a flag on for GUILDS at any percentage."""
    change = _Change(flag, lambda rollout: with_forced(rollout, guilds, forced=True), changed_by)
    _run(prepare("flags", quiet=True, data_dir=data_dir), change, as_json=as_json)


@command.command("unforce")
@flag_argument
@click.argument("guilds", type=Snowflake(), nargs=-1, required=True)
@by_option
@data_dir_option
@json_option
def unforce(flag: str, guilds: tuple[int, ...], changed_by: str | None, data_dir: str | None, as_json: bool) -> None:
    """Takes back `force`: the percentage decides about GUILDS again."""
    change = _Change(flag, lambda rollout: with_forced(rollout, guilds, forced=False), changed_by)
    _run(prepare("flags", quiet=True, data_dir=data_dir), change, as_json=as_json)


class _Change:
    def __init__(self, flag: str, change: Callable[[Rollout], Rollout], changed_by: str | None) -> None:
        self.flag = cast("Flag", flag)
        self.change = change
        self.changed_by = changed_by or f"{getpass.getuser()}@{socket.gethostname()}"


def _run(settings: Settings, change: _Change | None, *, as_json: bool, history: int = 1) -> None:
    values, changes = run(_flags(settings, change, history))
    if as_json:
        print_json(_document(values, changes))
    else:
        _draw(values, changes)


async def _flags(settings: Settings, change: _Change | None, history: int) -> tuple[FlagValues, Sequence[FlagChange]]:
    async with open_runtime(settings, "flags", pool_size=1) as runtime:
        async with runtime.database.transaction() as connection:
            values = await ensure_flags(connection, first_rollouts(settings))
            if change is not None:
                values = await change_flag(connection, change.flag, change.change, changed_by=change.changed_by)
            changes = await flag_history(connection, limit=history)
        await _publish(runtime, values)
    return values, changes


async def _publish(runtime: Runtime, values: FlagValues) -> None:
    """At once and not only by the leader, so that a change works without a coordinator too."""
    await publish_flags(runtime.redis, values.change_id, values.rollouts)


def _document(values: FlagValues, changes: Sequence[FlagChange]) -> dict[str, object]:
    return {
        "change": values.change_id,
        "flags": [{"flag": flag, **_shown(values.rollouts[flag])} for flag in FLAGS if flag in values.rollouts],
        "history": [
            {
                "change": change.change_id,
                "flag": change.flag,
                **_shown(change.rollout),
                "changed_by": change.changed_by,
                "changed_at": change.changed_at.isoformat(),
            }
            for change in changes
        ],
    }


def _shown(rollout: Rollout) -> dict[str, object]:
    return {"percentage": float(rollout.percentage), "forced_guilds": [str(guild) for guild in sorted(rollout.forced)]}


def _draw(values: FlagValues, changes: Sequence[FlagChange]) -> None:
    flags = Table("flag", "percent", "forced guilds")
    for flag in FLAGS:
        rollout = values.rollouts[flag]
        flags.add_row(flag, str(rollout.percentage), ", ".join(map(str, sorted(rollout.forced))) or "-")
    history = Table("when", "who", "flag", "percent", "forced guilds", title="latest changes")
    for change in changes:
        forced = ", ".join(map(str, sorted(change.rollout.forced))) or "-"
        when = f"{change.changed_at:%Y-%m-%d %H:%M:%S}Z"
        history.add_row(when, change.changed_by, change.flag, str(change.rollout.percentage), forced)
    console = Console()
    console.print(flags)
    if changes:
        console.print(history)
