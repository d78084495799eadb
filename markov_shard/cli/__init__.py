"""`markov-shard`: one program, a sub-command a role or task.

Sub-commands are imported when they run, so that `--help` and small commands start fast. Exit status: 0, or 1
with one clear line on standard error, or 2 for wrong usage.
"""

import importlib
import sys

import click

from markov_shard.chain import ChainError
from markov_shard.errors import MarkovShardError

_COMMANDS = {
    "up": "run a whole fleet on this machine",
    "shard": "run a shard process: gateway connections for the guilds it owns",
    "worker": "run a training worker",
    "coordinator": "run a coordinator: placement, failover, status page",
    "sim": "run the local stand-in for Discord",
    "migrate": "apply the database migrations",
    "train": "teach a guild from files",
    "say": "answer without Discord",
    "chain": "show, and verify, the figures of a guild's chain",
    "jobs": "list, show, cancel and retry training jobs",
    "flags": "show and change rollout flags, live for the whole fleet",
    "backup": "write everything the fleet knows to one file",
    "restore": "load a backup into an empty database",
    "forget": "remove a person's messages",
    "purge": "remove everything learned of a guild",
    "status": "show the fleet at a glance",
    "drain": "have a shard process hand its shards over, or serve again",
    "reshard": "change how many shards the bot has, while it runs",
    "doctor": "check settings, servers and token, and say how to mend each",
    "bench": "measure, against peers and bounds",
}


class _LazyGroup(click.Group):
    """Lists the sub-commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"markov_shard.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="markov-shard", prog_name="markov-shard")
def program() -> None:
    """A Discord Markov bot that runs as a sharded, fault-tolerant fleet."""


def main() -> None:
    """The console script's entry."""
    try:
        status = program.main(prog_name="markov-shard", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (MarkovShardError, ChainError) as error:
        click.echo(f"markov-shard: {error}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("markov-shard: stopped", err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
