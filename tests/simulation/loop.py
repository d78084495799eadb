"""An event loop whose time is virtual, and processes on it that can be paused and killed between any two steps."""

import asyncio
import contextvars
import selectors
from collections.abc import Callable
from typing import Any

PROCESS: contextvars.ContextVar["SimProcess | None"] = contextvars.ContextVar("process", default=None)


class SimProcess:
    """What a SIGSTOP, SIGCONT or SIGKILL acts on: every callback of tasks that were started in its context."""

    def __init__(self, name: str, *, skew: float = 0.0, offset: float = 0.0) -> None:
        """`skew`: how much faster its clock runs than true time (0.01: one percent); `offset`: seconds ahead."""
        self.name = name
        self.alive = True
        self.paused = False
        self._skew = skew
        self._offset = offset
        self._waiting: list[tuple[list[asyncio.Handle], Callable[..., object], tuple[Any, ...]]] = []

    def clock(self) -> float:
        """Its monotonic clock, which runs on while it is paused, as Linux's does."""
        return asyncio.get_running_loop().time() * (1 + self._skew) + self._offset

    def context(self) -> contextvars.Context:
        context = contextvars.copy_context()
        context.run(PROCESS.set, self)
        return context

    def call(self, box: list[asyncio.Handle], callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        if self.paused or not self.alive:
            self._waiting.append((box, callback, args))
        else:
            callback(*args)

    def pause(self) -> None:
        self.paused = True

    def resume(self, loop: asyncio.AbstractEventLoop) -> None:
        """Everything that became ready meanwhile runs now, in its order."""
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for box, callback, args in waiting:
            if not box[0].cancelled():
                loop.call_soon(callback, *args, context=self.context())

    def kill(self) -> None:
        self.alive = False

    def revive(self, loop: asyncio.AbstractEventLoop) -> None:
        """For the end of a history: what is left of it can be cancelled."""
        self.alive = True
        self.resume(loop)


class _Selector(selectors.BaseSelector):
    """Waits for nothing: passing time is moving the loop's clock."""

    def __init__(self) -> None:
        self.loop: SimLoop | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def select(self, timeout: float | None = None) -> list[Any]:
        assert self.loop is not None
        if timeout is None:
            raise RuntimeError("every process of the simulation waits for ever")
        if timeout > 0:
            self.loop.now += timeout
        return []

    def get_map(self) -> dict[Any, Any]:
        return {}

    def close(self) -> None:
        pass


class SimLoop(asyncio.SelectorEventLoop):
    """Runs tasks in virtual time, deterministically."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self.now

    def _make_self_pipe(self) -> None:  # nothing outside wakes this loop
        pass

    def _close_self_pipe(self) -> None:
        pass

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        box: list[asyncio.Handle] = []
        handle = super().call_soon(process.call, box, callback, args, context=context)
        box.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        box: list[asyncio.Handle] = []
        handle = super().call_at(when, process.call, box, callback, args, context=context)
        box.append(handle)
        return handle

    def end(self) -> None:
        """Cancels whatever still runs, in the middle of a history; every process must be able to run again."""
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.wait(tasks, timeout=1.0))
