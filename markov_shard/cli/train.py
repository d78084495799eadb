"""`markov-shard train`: teach a guild from files, in this process."""

import asyncio
import resource
import sys
import time
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from markov_shard.cli.options import Snowflake, data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.store.jobs import trained_files
from markov_shard.training.files import Survey, survey, training_files
from markov_shard.training.local import train_here


@click.command()
@click.argument("guild", type=Snowflake())
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--keep-existing", is_flag=True, help="Add to what the guild knows instead of replacing it.")
@click.option("--force", is_flag=True, help="Read files again that the guild has learned already.")
@data_dir_option
@json_option
def command(
    guild: int, paths: tuple[Path, ...], keep_existing: bool, force: bool, data_dir: str | None, as_json: bool
) -> None:
    """Learns JSON files, directories of them, DiscordChatExporter exports and an old bot's SQLite file.

    Without --keep-existing what the guild knew is replaced, once the new chain is complete.
    """
    settings = prepare("train", quiet=True, data_dir=data_dir)
    figures = run(_train(settings, guild, paths, keep_existing=keep_existing, force=force))
    if as_json:
        print_json(figures)
        return
    click.echo(
        f"learned {figures['messages']:,} messages ({figures['skipped']:,} skipped): {figures['transitions']:,}"
        f" transitions, image of {figures['image_bytes'] / 2**20:.1f} MiB, {figures['seconds']:.1f} s,"
        f" {figures['peak_rss_mb']:.0f} MiB at most"
    )


async def _train(
    settings: Settings, guild_id: int, paths: tuple[Path, ...], *, keep_existing: bool, force: bool
) -> dict[str, float]:
    files = training_files(paths)
    async with open_runtime(settings, "train", pool_size=5) as runtime:
        started = time.perf_counter()
        with _progress() as progress:
            surveys = await _survey(progress, files, guild_id)
            if keep_existing and not force:
                surveys = await _unknown(runtime, guild_id, surveys)
            if not surveys:
                return _figures(0, 0, 0, 0, 0, time.perf_counter() - started)
            task = progress.add_task("learning", total=sum(file.entries + file.bad for file in surveys))
            job, published = await train_here(
                runtime,
                guild_id,
                surveys,
                clean=not keep_existing,
                on_chunk=lambda batch: progress.advance(task, len(batch.messages) + batch.skipped),
            )
            progress.update(task, completed=progress.tasks[task].total)
        seconds = time.perf_counter() - started
    for file in surveys:
        if file.guild_id not in (None, guild_id):
            click.echo(f"{file.path.name} is an export of guild {file.guild_id}; it was learned as asked", err=True)
    for problem in (problem for file in surveys for problem in file.problems):
        click.echo(f"skipped {problem}", err=True)
    return _figures(job.messages, job.skipped, published.tokens, published.transitions, published.image_bytes, seconds)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


async def _survey(progress: Progress, files: list[Path], guild_id: int) -> list[Survey]:
    """Reads every file once before anything is learned, so that a broken one changes nothing."""
    task = progress.add_task("checking", total=None)
    surveys = [
        await asyncio.to_thread(
            partial(survey, path, lambda entries: progress.advance(task, entries), guild_id=guild_id)
        )
        for path in files
    ]
    progress.update(task, total=sum(file.entries + file.bad for file in surveys))
    return surveys


async def _unknown(runtime: Runtime, guild_id: int, surveys: list[Survey]) -> list[Survey]:
    async with runtime.database.connection() as connection:
        known = await trained_files(connection, guild_id)
    for file in surveys:
        if file.sha256.hex() in known:
            click.echo(f"{file.path.name} was learned before: skipped (--force reads it again)", err=True)
    return [file for file in surveys if file.sha256.hex() not in known]


def _figures(
    messages: int, skipped: int, tokens: int, transitions: int, image_bytes: int, seconds: float
) -> dict[str, float]:
    return {
        "messages": messages,
        "skipped": skipped,
        "tokens": tokens,
        "transitions": transitions,
        "image_bytes": image_bytes,
        "seconds": round(seconds, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
