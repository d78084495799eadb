"""`markov-shard jobs`: the training queue."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.queue import DeadLetter, JobQueue
from markov_shard.store.jobs import FINISHED, Job, find_job, list_jobs
from markov_shard.training.progress import JobProgress, read_progress
from markov_shard.training.requests import Cancelled, cancel_job, retry_job


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Lists, shows, cancels and retries training jobs; without a sub-command it lists them."""
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Finished jobs too.")
@click.option("--dead", is_flag=True, help="The dead letters: jobs that were given up, and why.")
@data_dir_option
@json_option
def list_command(
    everything: bool = False, dead: bool = False, data_dir: str | None = None, as_json: bool = False
) -> None:
    """Lists the unfinished jobs, newest first."""
    settings = prepare("jobs", quiet=True, data_dir=data_dir)
    if dead:
        _print_letters(run(_dead(settings)), as_json=as_json)
        return
    _print(run(_list(settings, unfinished=not everything)), as_json=as_json)


@command.command()
@click.argument("job", type=int)
@click.option("--watch", is_flag=True, help="Keep showing it until the job is finished.")
@data_dir_option
@json_option
def show(job: int, watch: bool, data_dir: str | None, as_json: bool) -> None:
    """Shows one job: how far it is, how fast it goes, and what went wrong."""
    run(_show(prepare("jobs", quiet=True, data_dir=data_dir), job, watch=watch, as_json=as_json))


@command.command()
@click.argument("job", type=int)
@data_dir_option
@json_option
def cancel(job: int, data_dir: str | None, as_json: bool) -> None:
    """Cancels a job; what a clean one stored goes, the old chain stays."""
    cancelled = run(_cancel(prepare("jobs", quiet=True, data_dir=data_dir), job))
    if as_json:
        print_json({"jobs": [_document(cancelled.job)], "kept": cancelled.kept})
    else:
        click.echo(str(cancelled))


@command.command()
@click.argument("job", type=int)
@data_dir_option
@json_option
def retry(job: int, data_dir: str | None, as_json: bool) -> None:
    """Queues a failed, dead or cancelled job again."""
    _print([run(_retry(prepare("jobs", quiet=True, data_dir=data_dir), job))], as_json=as_json)


async def _list(settings: Settings, *, unfinished: bool) -> list[Job]:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime, runtime.database.connection() as connection:
        return list(await list_jobs(connection, unfinished=unfinished))


async def _dead(settings: Settings) -> Sequence[DeadLetter]:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime:
        return await JobQueue(runtime.redis, runtime.name).dead_letters()


async def _show(settings: Settings, job_id: int, *, watch: bool, as_json: bool) -> None:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime:
        progress = await _progress(runtime, job_id)
        if not watch or as_json:
            while watch and progress.job.state not in FINISHED:
                await asyncio.sleep(1)
                progress = await _progress(runtime, job_id)
            if as_json:
                print_json({"jobs": [_document(progress.job) | _figures(progress)]})
            else:
                click.echo(_described(progress))
            return
        with Live(console=Console(highlight=False), auto_refresh=False) as live:
            while True:
                live.update(_described(progress), refresh=True)
                if progress.job.state in FINISHED:
                    return
                await asyncio.sleep(1)
                progress = await _progress(runtime, job_id)


async def _progress(runtime: Runtime, job_id: int) -> JobProgress:
    async with runtime.database.connection() as connection:
        job = await find_job(connection, job_id)
        return await read_progress(connection, job.guild_id, job_id)


async def _cancel(settings: Settings, job_id: int) -> Cancelled:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime:
        return await cancel_job(runtime, job_id)


async def _retry(settings: Settings, job_id: int) -> Job:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime:
        await retry_job(runtime, job_id)
        async with runtime.database.connection() as connection:
            return await find_job(connection, job_id)


def _print(jobs: list[Job], *, as_json: bool) -> None:
    if as_json:
        print_json({"jobs": [_document(job) for job in jobs]})
        return
    if not jobs:
        click.echo("no jobs")
    for job in jobs:
        line = f"{job.job_id:>6} {job.state:<9} {job.kind:<8} guild {job.guild_id}: {job.messages} messages"
        click.echo(line + (f", {job.skipped} skipped" if job.skipped else "") + (f"; {job.error}" if job.error else ""))


def _print_letters(letters: Sequence[DeadLetter], *, as_json: bool) -> None:
    if as_json:
        documents = [asdict(letter) for letter in letters]
        for document in documents:
            document |= {name: _text(document[name]) for name in ("guild_id", "job_id")}
        print_json({"dead": documents})
        return
    if not letters:
        click.echo("no dead letters")
    for letter in letters:
        when = datetime.fromtimestamp(letter.seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if letter.job_id is None:
            click.echo(f"{when} {letter.lane}: {letter.reason}; its job, if there is one, is queued again by itself")
        else:
            click.echo(
                f"{when} {letter.lane}: job {letter.job_id} of guild {letter.guild_id}: {letter.reason};"
                f" `markov-shard jobs retry {letter.job_id}` tries it again"
            )


def _described(progress: JobProgress) -> str:
    """A job in a few lines."""
    job = progress.job
    counted = f"{job.messages:,} messages learned, {job.skipped:,} skipped"
    parts = [f"job {job.job_id}: {job.kind} for guild {job.guild_id}, {job.state}", counted]
    if progress.stage not in ("finished", "learning"):
        parts[0] += f" ({progress.stage})"
    if progress.fraction is not None:
        parts[1] += f", {progress.fraction:.1%}"
    if progress.rate is not None:
        parts[1] += f", {progress.rate:,.0f} messages/s"
    if progress.seconds_left is not None:
        parts[1] += f", {timedelta(seconds=round(progress.seconds_left))} left"
    if (channels := progress.channels) is not None:
        reading = f", reading {channels.current} ({channels.fraction:.1%})" if channels.current is not None else ""
        parts.append(f"{len(channels.done)} of {channels.total} channels and threads read{reading}")
    if progress.refused:
        parts.append(f"channels that may not be read, or are gone: {', '.join(map(str, progress.refused))}")
    parts += [f"left out: {problem}" for problem in progress.problems]
    if job.payload.get("known"):
        parts.append(f"{job.payload['known']} was learned before, and was not read again")
    if job.error:
        parts.append(f"what went wrong: {job.error}")
    return "\n".join(parts)


def _figures(progress: JobProgress) -> dict[str, Any]:
    channels = progress.channels
    return {
        "stage": progress.stage,
        "percent": round(progress.fraction * 100, 2) if progress.fraction is not None else None,
        "rate": progress.rate,
        "seconds_left": progress.seconds_left,
        "channels": None
        if channels is None
        else asdict(channels) | {"done": list(map(str, channels.done)), "current": _text(channels.current)},
        "refused": list(map(str, progress.refused)),
        "problems": list(progress.problems),
    }


def _document(job: Job) -> dict[str, Any]:
    document = asdict(job)
    for name in ("guild_id", "job_id", "requested_by"):
        document[name] = _text(document[name])
    return document


def _text(value: int | None) -> str | None:
    return str(value) if value is not None else None
