"""`markov-shard restore`: a backup into an empty database."""

from pathlib import Path

import click

from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import service_urls
from markov_shard.settings import Settings
from markov_shard.store.dump import restore


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@data_dir_option
@json_option
def command(file: Path, data_dir: str | None, as_json: bool) -> None:
    """Loads a backup from FILE into an empty database, all or nothing, and migrates it."""
    migrated = run(_restore(prepare("restore", quiet=True, data_dir=data_dir), file))
    if as_json:
        print_json({"file": str(file), "applied": migrated})
    else:
        taken = f"; migrations taken: {', '.join(migrated)}" if migrated else ""
        click.echo(f"{file} is restored{taken}")


async def _restore(settings: Settings, file: Path) -> list[str]:
    async with service_urls(settings, redis=False) as urls:
        return await restore(urls.database, file)
