"""`markov-shard migrate`."""

import click

from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import service_urls
from markov_shard.settings import Settings
from markov_shard.store.migrate import migrate


@click.command()
@click.option("--to", type=int, help="Version to go to, back included; by default the newest.")
@data_dir_option
@json_option
def command(to: int | None, data_dir: str | None, as_json: bool) -> None:
    """Applies the database migrations; safe to run from several places at once."""
    settings = prepare("migrate", quiet=True, data_dir=data_dir)
    applied = run(_migrate(settings, to))
    if as_json:
        print_json({"applied": applied})
    else:
        click.echo(f"applied {', '.join(applied)}" if applied else "nothing to do: the schema is up to date")


async def _migrate(settings: Settings, to: int | None) -> list[str]:
    async with service_urls(settings, redis=False) as urls:
        return await migrate(urls.database, to=to)
