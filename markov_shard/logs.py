"""The one logging set-up: structlog through the standard library, so hikari's and asyncpg's lines join ours.

Text on a terminal, JSON elsewhere; always on standard error, since standard output belongs to `--json`.
"""

import contextlib
import logging
import re
import sys
import zoneinfo
from collections.abc import Callable, Collection, Mapping, MutableMapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, TextIO

import structlog

_SHORTEST_SECRET = 8
"""A known secret shorter than this (the compose file's default password) would hide ordinary words."""

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

_SECRETS = re.compile(
    r"[\w-]{18,}\.[\w-]{4,}\.[\w-]{20,}"  # a Discord token: base64(id).x.y
    r"|(?<=://)[^/@\s]*:[^/@\s]+(?=@)"  # user and password inside a URL
    r"|aW50ZXJhY3Rpb246[\w=-]+"  # an interaction's token: base64("interaction:…
    r"|(?<=/webhooks/)\d+/[\w=-]+"  # a webhook's, and with it the right to write in its name
    r"|(?<=[?&]hm=)[0-9a-f]{16,}"  # the signature of an attachment's URL
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TRACEBACKS = ("exception", "stack")


def hide_secrets(text: str) -> str:
    """The text without tokens and passwords, wherever in it they stand."""
    return _SECRETS.sub("(hidden)", text)


def as_one_line(text: str) -> str:
    """The text with line ends, escape sequences and other control characters spelt out, so that it cannot pose as
    a line of its own or steer a terminal."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed, however deep in lists and mappings."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_mapped(key, change): _mapped(part, change) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_mapped(part, change) for part in value]
    return value if isinstance(value, (int, float, bool, type(None))) else change(str(value))


def _without(secrets: Collection[str]) -> structlog.typing.Processor:
    """Takes secrets out of a whole line: those of these settings, and whatever looks like one."""
    known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "(hidden)")
        return hide_secrets(text)

    def clean(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            event[key] = _mapped(value, hide)
        return event

    return clean


def _flat(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For text: one line an event, but for tracebacks. JSON escapes by itself."""
    for key, value in event.items():
        if key not in _TRACEBACKS:
            event[key] = _mapped(value, as_one_line)
    return event


class JsonLines(logging.StreamHandler[TextIO]):
    """Writes one JSON object a line; `zone` is that of their times, None for UTC."""

    def __init__(self, stream: TextIO, zone: tzinfo | None) -> None:
        super().__init__(stream)
        self.zone = zone

    def write(self, line: str) -> None:
        """Writes a line, or several, complete but for the last one's end."""
        with self.lock or contextlib.nullcontext():
            self.stream.write(line + self.terminator)
            self.flush()


def timestamp(zone: tzinfo | None) -> str:
    """The time of a line, in the operator's zone; without one in UTC, as `…Z`."""
    if zone is None:
        return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return datetime.now(zone).isoformat(timespec="microseconds")


def _stamp(zone: tzinfo | None) -> structlog.typing.Processor:
    def stamp(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["timestamp"] = timestamp(zone)
        return event

    return stamp


def set_up_logging(
    level: str = "info",
    *,
    form: Literal["auto", "text", "json"] = "auto",
    role: str = "",
    timezone: str = "UTC",
    secrets: Collection[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Configures structlog and the standard library's root logger; call it once, at a process's start.

    `role` is bound to every line of the process; its time is one of `timezone`. None of `secrets` is ever written.
    """
    stream = stream or sys.stderr
    zone = None if timezone == "UTC" else zoneinfo.ZoneInfo(timezone)
    logging.addLevelName(TRACE, "TRACE")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _stamp(zone),
    ]
    text = form == "text" or (form == "auto" and stream.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
        if text
        else structlog.processors.JSONRenderer(separators=(",", ":"))  # ASCII: control characters are escaped
    )
    ending: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, _without(secrets)]
    ending += [_flat, renderer] if text else [renderer]
    handler = logging.StreamHandler(stream) if text else JsonLines(stream, zone)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    handler.setLevel(_LEVELS[level])
    root.setLevel(min(_LEVELS[level], logging.WARNING))  # what is not shown is counted still, by `health.tally`
    # Banners; talk of sessions that the fleet decides about; a traceback for each second that Postgres is away.
    for name in ("hikari.ux", "hikari.bot", "asyncpg.pool"):
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
