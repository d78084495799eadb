"""`markov-shard worker`: does training jobs."""

import asyncio
from typing import Any

import click

from markov_shard.cli.options import data_dir_option, prepare, run, stop_on_signals
from markov_shard.health import Finding, Health, Verdict, serve_health
from markov_shard.health.metrics import Metrics
from markov_shard.health.process import ProcessFigures, measured_process
from markov_shard.rest_limits import budget_finding, measure_rest, rest_budget
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.members import keep_beating
from markov_shard.store.jobs import Lane
from markov_shard.tasks import end
from markov_shard.training.handlers import Handlers
from markov_shard.training.pool import GIVES_WAY, WorkPool
from markov_shard.training.worker import Worker

_HISTORIES = 4
"""Guilds whose history is read at a time: such work waits for Discord, not for a processor."""


@click.command()
@data_dir_option
def command(data_dir: str | None) -> None:
    """Runs a training worker: imports, history backfills, compiles."""
    run(_worker(prepare("worker", data_dir=data_dir)))


async def _worker(settings: Settings) -> None:
    stop = stop_on_signals()
    size = settings.worker_pool_size
    pool = WorkPool(size, memory_mb=settings.job_memory_limit, niceness=GIVES_WAY)
    loops: dict[Lane, int] = {"imports": size, "history": _HISTORIES, "upkeep": size}
    try:
        async with open_runtime(settings, "worker", pool_size=6) as runtime:
            health = Health("worker", runtime.name)
            budget = rest_budget(settings, runtime.redis)
            worker = Worker(runtime, Handlers(runtime, pool, budget).by_kind(), loops=loops)
            health.add("jobs", lambda: _jobs(worker))
            health.add("rest", lambda: budget_finding(budget))
            metrics = Metrics()
            measure_rest(metrics, budget)
            metrics.gauge("markov_jobs_running", "Jobs in work", lambda: len(worker.working_on))
            metrics.total("markov_jobs_done", "Jobs this process has finished", lambda: worker.done)
            metrics.totals("markov_jobs_ended", "Jobs that ended here, by how", "outcome", lambda: worker.outcomes)
            figures = worker.figures
            metrics.totals(
                "markov_training_messages", "Messages that trainings have read", "kind", lambda: figures.messages
            )
            metrics.gauges(
                "markov_training_seconds_left",
                "Time left of the longest training in work",
                "kind",
                lambda: figures.seconds_left,
            )
            async with (
                measured_process(metrics, health, runtime.database) as measured,
                serve_health(health, settings.http_host, settings.http_port, registry=metrics.registry) as url,
            ):
                beating = asyncio.create_task(_beat(runtime, worker, measured, url), name="heartbeat")
                try:
                    await worker.run(stop)
                finally:
                    await end([beating])
                    await budget.close()
    finally:
        pool.close()


async def _beat(runtime: Runtime, worker: Worker, measured: ProcessFigures, url: str) -> None:
    def details() -> dict[str, Any]:
        return {"jobs": [str(job) for job in sorted(worker.working_on)], **measured.details()}

    await keep_beating(runtime.redis, runtime.name, "worker", url, details)


def _jobs(worker: Worker) -> Finding:
    if worker.trouble:
        return Finding(Verdict.DEGRADED, f"no job can be taken: {worker.trouble}")
    return Finding(Verdict.OK, f"{len(worker.working_on)} job(s) in work, {worker.done} done")
