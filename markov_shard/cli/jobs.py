"""`markov-shard jobs`: the training queue."""

import asyncio
import sys
from dataclasses import asdict
from typing import Any

import click

from markov_shard.cli.options import data_dir_option, json_option, prepare, print_json, run
from markov_shard.runtime import open_runtime
from markov_shard.settings import Settings
from markov_shard.store.jobs import FINISHED, Job, find_job, list_jobs
from markov_shard.training.requests import cancel_job, retry_job


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Lists, shows, cancels and retries training jobs; without a sub-command it lists them."""
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Finished jobs too.")
@data_dir_option
@json_option
def list_command(everything: bool = False, data_dir: str | None = None, as_json: bool = False) -> None:
    """Lists the unfinished jobs, newest first."""
    jobs = run(_list(prepare("jobs", quiet=True, data_dir=data_dir), unfinished=not everything))
    _print(jobs, as_json=as_json)


@command.command()
@click.argument("job", type=int)
@click.option("--watch", is_flag=True, help="Show each change until the job is finished.")
@data_dir_option
@json_option
def show(job: int, watch: bool, data_dir: str | None, as_json: bool) -> None:
    """Shows one job."""
    run(_show(prepare("jobs", quiet=True, data_dir=data_dir), job, watch=watch, as_json=as_json))


@command.command()
@click.argument("job", type=int)
@data_dir_option
@json_option
def cancel(job: int, data_dir: str | None, as_json: bool) -> None:
    """Cancels a job; what a clean one stored goes, the old chain stays."""
    _print([run(_change(prepare("jobs", quiet=True, data_dir=data_dir), job, cancel=True))], as_json=as_json)


@command.command()
@click.argument("job", type=int)
@data_dir_option
@json_option
def retry(job: int, data_dir: str | None, as_json: bool) -> None:
    """Queues a failed, dead or cancelled job again."""
    _print([run(_change(prepare("jobs", quiet=True, data_dir=data_dir), job, cancel=False))], as_json=as_json)


async def _list(settings: Settings, *, unfinished: bool) -> list[Job]:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime, runtime.database.connection() as connection:
        return list(await list_jobs(connection, unfinished=unfinished))


async def _show(settings: Settings, job_id: int, *, watch: bool, as_json: bool) -> None:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime:
        told = None
        while True:
            async with runtime.database.connection() as connection:
                job = await find_job(connection, job_id)
            if job != told:
                _print([job], as_json=as_json)
                sys.stdout.flush()
                told = job
            if not watch or job.state in FINISHED:
                return
            await asyncio.sleep(1)


async def _change(settings: Settings, job_id: int, *, cancel: bool) -> Job:
    async with open_runtime(settings, "jobs", pool_size=1) as runtime:
        await (cancel_job if cancel else retry_job)(runtime, job_id)
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


def _document(job: Job) -> dict[str, Any]:
    document = asdict(job)
    for name in ("guild_id", "job_id", "requested_by"):
        document[name] = str(document[name]) if document[name] is not None else None
    return document
