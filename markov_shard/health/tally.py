"""Counts what the log says went wrong, by kind, whoever logged it: ours, hikari's, asyncpg's."""

import contextlib
import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from markov_shard.logs import as_one_line, hide_secrets

_RECENT = 5
_LONGEST = 240


@dataclass(frozen=True)
class Trouble:
    """A line at error level, short and without secrets. `at`: seconds since the epoch."""

    at: float
    source: str
    text: str


class Tally(logging.Handler):
    """A handler that writes nothing. `errors` and `warnings` count by source, the last words of a logger's name."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self.errors: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.rate_limited: Counter[str] = Counter()
        """429 answers of Discord, by scope. hikari waits and tries again by itself, and says so in its log only."""
        self._recent: deque[Trouble] = deque(maxlen=_RECENT)

    def emit(self, record: logging.LogRecord) -> None:
        """Counts a record of level warning or above."""
        source = source_of(record.name)
        if record.name == "hikari.rest" and str(record.msg).startswith("rate limited on "):
            self.rate_limited[_scope(record)] += 1
        if record.levelno < logging.ERROR:
            self.warnings[source] += 1
            return
        self.errors[source] += 1
        self._recent.append(Trouble(self._clock(), source, _text(record)))

    @property
    def recent(self) -> list[dict[str, Any]]:
        """The latest errors, oldest first, for heartbeats."""
        return [asdict(trouble) for trouble in self._recent]


def source_of(logger: str) -> str:
    """`guilds.learner` of ours, `hikari` of theirs: as many values as there are modules and libraries."""
    first, _, rest = logger.partition(".")
    return (rest or first) if first == "markov_shard" else logger if first == "coordinator" else first


def _scope(record: logging.LogRecord) -> str:
    text = str(record.msg)
    if "global bucket" in text:
        return "global"
    scope = record.args[0] if isinstance(record.args, tuple) and "sub bucket" in text and record.args else "route"
    return str(scope) if scope in ("user", "shared") else "route"


def _text(record: logging.LogRecord) -> str:
    if isinstance(record.msg, dict):  # a structlog line on its way to the formatter
        text = str(record.msg.get("event", ""))
        reason = record.msg.get("reason")
        text = f"{text}: {reason}" if reason else text
        known = record.msg.get("exc_info")
    else:
        text, known = record.getMessage(), record.exc_info
    known = sys.exc_info() if known is True else known
    error = known if isinstance(known, BaseException) else known[1] if isinstance(known, tuple) else None
    if error is not None:
        text = f"{text} ({type(error).__name__})"
    return as_one_line(hide_secrets(text))[:_LONGEST]


@contextlib.contextmanager
def tally_logs() -> Iterator[Tally]:
    """Counts what is logged while the block runs."""
    tally = Tally()
    root = logging.getLogger()
    root.addHandler(tally)
    try:
        yield tally
    finally:
        root.removeHandler(tally)
