"""The supervisor, with real child processes."""

import asyncio
import os
import signal
from collections.abc import Callable

from markov_shard.cli.supervisor import PARENT_FD, Role, Supervisor

STAY = "import signal, sys\nsignal.signal(15, lambda *_: (print('drained', flush=True), sys.exit(0)))\n"
STAY += "print('started', flush=True)\nsignal.pause()"


class Lines:
    """What the children printed, and a way to wait for it."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._changed = asyncio.Event()

    def write(self, line: str) -> None:
        self.all.append(line)
        self._changed.set()

    async def until(self, condition: Callable[[list[str]], bool]) -> None:
        while not condition(self.all):
            self._changed.clear()
            await self._changed.wait()


def role(name: str, code: str, stage: int = 0) -> Role:
    return Role(name, ["-c", code], stage=stage)


async def test_lines_are_prefixed_and_a_stop_drains_in_stages() -> None:
    lines, stop = Lines(), asyncio.Event()
    supervisor = Supervisor([role("late", STAY, stage=1), role("first", STAY)], write=lines.write)
    running = asyncio.create_task(supervisor.run(stop))
    await lines.until(lambda all_: len(all_) == 2)
    assert sorted(lines.all) == ["first | started", "late  | started"]
    stop.set()
    await running
    assert lines.all[2:] == ["first | drained", "late  | drained"]


async def test_a_killed_process_is_started_again() -> None:
    lines, stop = Lines(), asyncio.Event()
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    supervisor = Supervisor([role("one", code)], write=lines.write)
    running = asyncio.create_task(supervisor.run(stop))
    await lines.until(lambda all_: len(all_) == 1)
    os.kill(int(lines.all[0].split()[-1]), signal.SIGKILL)
    await lines.until(lambda all_: len(all_) == 2)
    stop.set()
    await running
    assert lines.all[0] != lines.all[1]


async def test_a_role_that_cannot_start_stops_the_fleet_and_names_itself() -> None:
    lines = Lines()
    broken = role("broken", "import sys; print('no database', flush=True); sys.exit(1)")
    supervisor = Supervisor([broken, role("fine", STAY)], write=lines.write)
    await supervisor.run(asyncio.Event())
    assert supervisor.gave_up is not None
    assert "broken" in supervisor.gave_up
    assert "fine   | drained" in lines.all


async def test_children_see_the_supervisor_die() -> None:
    lines, stop = Lines(), asyncio.Event()
    code = f"import os; os.read(int(os.environ[{PARENT_FD!r}]), 1); print('orphaned', flush=True)"
    supervisor = Supervisor([role("child", code)], write=lines.write, drain_seconds=0.05)
    running = asyncio.create_task(supervisor.run(stop))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "child | orphaned" not in lines.all  # it was stopped, not left behind
