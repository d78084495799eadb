"""`markov-shard purge`: removes everything learned of a guild."""

import click

from markov_shard.cli.forget import confirm
from markov_shard.cli.options import Snowflake, data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings


@click.command()
@click.argument("guild", type=Snowflake())
@click.option("--yes", is_flag=True, help="Do not ask first.")
@data_dir_option
@json_option
def command(guild: int, yes: bool, data_dir: str | None, as_json: bool) -> None:
    """Removes everything learned of GUILD: messages, chain images and every copy. Its settings and opt-outs stay."""
    settings = prepare("purge", quiet=True, data_dir=data_dir)
    confirm(f"Remove everything learned in guild {guild}? This cannot be undone.", yes=yes)
    count = run(_purge(settings, guild))
    if as_json:
        print_json({"messages": count})
    else:
        click.echo(f"{count} messages removed")


async def _purge(settings: Settings, guild_id: int) -> int:
    from markov_shard.guilds.image_files import ImageFiles
    from markov_shard.training.forgetting import clear_stored

    async with open_runtime(settings, "purge", pool_size=2) as runtime:
        count = await clear_stored(runtime, guild_id)
        ImageFiles(settings.data_dir / "images").drop(guild_id)
        return count
