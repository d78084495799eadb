"""Processes for CPU work: a job that is cancelled, or takes too much memory, ends with its process and nothing else.

Pebble's pool and not the standard library's, which can neither end a task that runs nor outlive a process that was
killed.
"""

import asyncio
import multiprocessing
import os
import resource
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pebble import ProcessPool

from markov_shard.errors import JobError

P = ParamSpec("P")
R = TypeVar("R")
_TASKS_A_PROCESS = 64
GIVES_WAY = 10
"""The niceness of work that nobody waits for by the second: on a host with few cores, whatever answers goes first."""


class WorkPool:
    """At most `size` processes; each may take `memory_mb` megabytes. `async with WorkPool(…) as pool`."""

    def __init__(self, size: int, *, memory_mb: int, niceness: int = 0) -> None:
        """`niceness`: by how much the processes' scheduling priority is lower than this one's (see nice(2))."""
        self._memory_mb = memory_mb
        self._pool = ProcessPool(
            max_workers=size,
            max_tasks=_TASKS_A_PROCESS,
            initializer=_begin,
            initargs=(memory_mb, niceness),
            context=multiprocessing.get_context("spawn"),
        )

    async def run(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """The result of picklable work, done in a process; cancelling this ends the process.

        Raises what the work raises, JobError when it needs more memory than it may have, and
        pebble.ProcessExpired, an OSError, when its process was killed.
        """
        future = self._pool.schedule(work, args=list(arguments), kwargs=named)
        try:
            return await asyncio.wrap_future(future)
        except MemoryError:
            raise JobError(
                f"it needs more than JOB_MEMORY_LIMIT, {self._memory_mb} megabytes of memory: raise that setting,"
                " or split the file"
            ) from None

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _begin(memory_mb: int, niceness: int) -> None:
    """Limits a new process's memory, lowers its priority, and ends it with its parent."""
    os.nice(niceness)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, hard))
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
