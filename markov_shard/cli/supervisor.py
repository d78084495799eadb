"""Runs the processes of a fleet on one machine: restarts with backoff, prefixed logs, a drain in order."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from markov_shard.logs import get_logger

_log = get_logger(__name__)

PARENT_FD = "MARKOV_PARENT_FD"
"""Environment variable naming the read end of a pipe whose other end only the supervisor holds: it closes when
the supervisor dies, however it dies, and the child then drains instead of living on unseen."""

_STABLE_SECONDS = 30.0
_MAX_BACKOFF = 15.0


@dataclass(frozen=True)
class Role:
    """A process to keep running. Lower `stage` starts later and is stopped earlier."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stage: int = 0


class Supervisor:
    """Keeps roles running until asked to stop."""

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        write: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
        drain_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roles = roles
        self._write = write
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._width = max((len(role.name) for role in roles), default=0)
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self.gave_up: str | None = None
        """Why the fleet cannot run, when a role keeps failing at its start."""

    async def run(self, stop: asyncio.Event) -> None:
        """Starts all roles and returns when `stop` is set and all are drained, or when one cannot run."""
        alive, watched = os.pipe()
        keepers = [asyncio.create_task(self._keep(role, alive), name=role.name) for role in self._roles]
        waiter = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([waiter, *keepers], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiter}:
                task.result()
        finally:
            waiter.cancel()
            await self._drain(keepers)
            os.close(alive)
            os.close(watched)

    async def _keep(self, role: Role, alive: int) -> None:
        """Runs a role again and again. Returns only when it fails three times in a row right at its start."""
        backoff, quick_failures = 0.5, 0
        while not self._stopping.is_set():
            started = self._clock()
            status = await self._run_once(role, alive)
            if self._stopping.is_set():
                return
            lasted = self._clock() - started
            backoff = 0.5 if lasted > _STABLE_SECONDS else min(backoff * 2, _MAX_BACKOFF)
            quick_failures = quick_failures + 1 if status == 1 and lasted < _STABLE_SECONDS else 0
            if quick_failures == 3:
                self.gave_up = f"{role.name} fails at its start; its last line above says why"
                return
            _log.warning("a process ended; starting it again", process=role.name, status=status, seconds=backoff)
            await asyncio.sleep(backoff)

    async def _run_once(self, role: Role, alive: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *role.arguments,
            env={**os.environ, **role.environment, PARENT_FD: str(alive)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 20,
            pass_fds=(alive,),
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which drains in order
        )
        self._processes[role.name] = process
        assert process.stdout is not None
        prefix = role.name.ljust(self._width)
        while line := await _read_line(process.stdout):
            self._write(f"{prefix} | {line.decode(errors='replace').rstrip()}")
        return await process.wait()

    async def _drain(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        self._stopping.set()
        for stage in sorted({role.stage for role in self._roles}):
            names = [role.name for role in self._roles if role.stage == stage]
            running = [p for name in names if (p := self._processes.get(name)) and p.returncode is None]
            for process in running:
                _signal(process, signal.SIGTERM)
            if running:
                _, late = await asyncio.wait(
                    [asyncio.create_task(process.wait()) for process in running], timeout=self._drain_seconds
                )
                if late:
                    _log.error("killing processes that did not drain in time", seconds=self._drain_seconds)
                    for process in running:
                        _signal(process, signal.SIGKILL)
        for task in keepers:
            task.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than the limit: the rest of it follows as further lines
        return b"(a line longer than 1 MiB)\n"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
