"""Log lines of the reply path at a fraction of a log record's cost.

Only for lines whose fields are numbers and IDs: nothing in them needs hiding or escaping. As JSON they are written
as `logs` would write them, without a record being made, the stack being searched and each text being looked
through; as text, for a person at a terminal, they take the ordinary way.
"""

import asyncio
import logging

import orjson
import structlog

from markov_shard.logs import JsonLines, get_logger, timestamp


class FastLogger:
    """As `get_logger`'s, for one level."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._records = logging.getLogger(name)
        self._log = get_logger(name)

    def info(self, event: str, **fields: str | int | float) -> None:
        """Writes a line of numbers and IDs."""
        self.infos((event, fields))

    def infos(self, *events: tuple[str, dict[str, str | int | float]]) -> None:
        """Writes some lines of one moment at once; in an event loop, when what is being done there has been done.

        A disk that is busy, or a pipe that nobody empties, then delays no reply that is under way.
        """
        if not self._records.isEnabledFor(logging.INFO):
            return
        handler = _only_json_lines()
        if handler is None:
            for event, fields in events:
                self._log.info(event, **fields)
        elif handler.level <= logging.INFO:
            rest = {"level": "info", "logger": self._name, "timestamp": timestamp(handler.zone)}
            around = structlog.contextvars.get_contextvars()
            lines = [orjson.dumps(fields | around | {"event": event} | rest, default=str) for event, fields in events]
            _write_soon(handler, b"\n".join(lines).decode())


def _write_soon(handler: JsonLines, text: str) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        handler.write(text)
    else:
        loop.call_soon(handler.write, text)


def _only_json_lines() -> JsonLines | None:
    """The handler that writes JSON lines, unless another one wants to see them too."""
    found = None
    for handler in logging.getLogger().handlers:
        if isinstance(handler, JsonLines):
            found = handler
        elif handler.level <= logging.INFO:
            return None
    return found
