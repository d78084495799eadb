"""The one logging set-up: structlog through the standard library, so hikari's and asyncpg's lines join ours.

Text on a terminal, JSON elsewhere; always on standard error, since standard output belongs to `--json`.
"""

import logging
import re
import sys
import zoneinfo
from collections.abc import MutableMapping
from datetime import datetime, tzinfo
from typing import Any, Literal, TextIO

import structlog

TRACE = 5
"""Below DEBUG: the only level at which message text may be logged. The same number hikari uses."""

_LEVELS = {
    "silent": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}

# A Discord token (base64(id).x.y) and a password inside a URL, wherever they turn up in a line.
_SECRETS = re.compile(r"[\w-]{18,}\.[\w-]{4,}\.[\w-]{20,}|(?<=://)[^/@\s]*:[^/@\s]+(?=@)")


def _hide_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _SECRETS.sub("(hidden)", value)
    return event


def _stamp(zone: tzinfo) -> structlog.typing.Processor:
    """Adds the time of the line, in the operator's zone."""

    def stamp(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["timestamp"] = datetime.now(zone).isoformat(timespec="microseconds")
        return event

    return stamp


def set_up_logging(
    level: str = "info",
    *,
    form: Literal["auto", "text", "json"] = "auto",
    role: str = "",
    timezone: str = "UTC",
    stream: TextIO | None = None,
) -> None:
    """Configures structlog and the standard library's root logger; call it once, at a process's start.

    `role` is bound to every line of the process; its time is one of `timezone`.
    """
    stream = stream or sys.stderr
    logging.addLevelName(TRACE, "TRACE")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True)
        if timezone == "UTC"
        else _stamp(zoneinfo.ZoneInfo(timezone)),
    ]
    text = form == "text" or (form == "auto" and stream.isatty())
    ending: list[structlog.typing.Processor] = (
        [_hide_secrets, structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)]
        if text
        else [structlog.processors.format_exc_info, _hide_secrets, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    for name in ("hikari.ux", "hikari.bot"):  # banners and talk of sessions that the fleet decides about
        logging.getLogger(name).setLevel(logging.ERROR if root.level > logging.DEBUG else root.level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if role:
        structlog.contextvars.bind_contextvars(role=role)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields of the line."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
