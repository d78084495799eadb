"""`markov-shard backup`: everything the fleet knows, in one file."""

from pathlib import Path

import click

from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import service_urls
from markov_shard.settings import Settings
from markov_shard.store.dump import dump


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@data_dir_option
@json_option
def command(file: Path, data_dir: str | None, as_json: bool) -> None:
    """Writes a backup of the database to FILE; the fleet may run meanwhile."""
    size = run(_backup(prepare("backup", quiet=True, data_dir=data_dir), file))
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"{file}: {size / 2**20:,.1f} MiB; restore it with `markov-shard restore` into an empty database")


async def _backup(settings: Settings, file: Path) -> int:
    async with service_urls(settings, redis=False) as urls:
        return await dump(urls.database, file)
