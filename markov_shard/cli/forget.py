"""`markov-shard forget`: removes a person's messages from storage, chain and caches."""

import asyncio
import sys

import click

from markov_shard.cli.options import Snowflake, data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings


@click.command()
@click.argument("user", type=Snowflake())
@click.option("--guild", type=Snowflake(), help="Of this guild only; else of every guild.")
@click.option("--opt-out", is_flag=True, help="Learn nothing more of the person there either.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@data_dir_option
@json_option
def command(user: int, guild: int | None, opt_out: bool, yes: bool, data_dir: str | None, as_json: bool) -> None:
    """Removes everything that USER wrote."""
    settings = prepare("forget", quiet=True, data_dir=data_dir)
    where = f"in guild {guild}" if guild is not None else "in every guild"
    confirm(f"Remove everything that user {user} wrote {where}?", yes=yes)
    removed = run(_forget(settings, user, guild, never_again=opt_out))
    if as_json:
        print_json({"messages": sum(removed.values()), "guilds": {str(key): value for key, value in removed.items()}})
    else:
        guilds = "1 guild" if len(removed) == 1 else f"{len(removed)} guilds"
        click.echo(f"{sum(removed.values())} messages removed, in {guilds}; old images follow in minutes")


def confirm(question: str, *, yes: bool) -> None:
    """Asks on a terminal; elsewhere `--yes` is needed. Raises click's errors."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("without a terminal to ask on, --yes is needed")
    click.confirm(question, abort=True, err=True)


async def _forget(settings: Settings, user_id: int, guild_id: int | None, *, never_again: bool) -> dict[int, int]:
    from markov_shard.store.members import guilds_of_author
    from markov_shard.training.forgetting import forget_author

    async with open_runtime(settings, "forget", pool_size=4) as runtime:
        if guild_id is not None:
            guilds = [guild_id]
        else:
            async with runtime.database.connection() as connection:
                guilds = await guilds_of_author(connection, user_id)
        pause = settings.chain_save_debounce_ms / 1000 * 1.5
        first = {guild: await forget_author(runtime, guild, user_id, never_again=never_again) for guild in guilds}
        if guilds:
            await asyncio.sleep(pause)  # what owners had learned and not stored when they were told is stored now
        again = {guild: await forget_author(runtime, guild, user_id) for guild in guilds}
        return {guild: first[guild] + again[guild] for guild in guilds}
