"""Options and habits that sub-commands share."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import orjson

from markov_shard.cli.supervisor import PARENT_FD
from markov_shard.logs import get_logger, set_up_logging
from markov_shard.settings import Settings, load_settings, reveal

_log = get_logger(__name__)
_SAME_SIGNAL_SECONDS = 1.0
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of embedded servers and image files (default .markov-shard).",
)


def prepare(role: str, *, quiet: bool = False, **overrides: object) -> Settings:
    """Loads the settings and sets up logging for a role or command; `quiet` shows warnings and errors only."""
    settings = load_settings(overrides)
    level = "warn" if quiet and settings.log_level == "info" else settings.log_level
    secrets = [reveal(secret) or "" for secret in (settings.token, settings.status_token)]
    secrets += [urlsplit(reveal(url) or "").password or "" for url in (settings.database_url, settings.redis_url)]
    set_up_logging(level, form=settings.log_format, role=role, timezone=settings.timezone, secrets=secrets)
    if PARENT_FD not in os.environ:  # `up` has said it for its children
        for note in settings.notes:
            _log.warning(note)
    return settings


def run(work: Coroutine[Any, Any, R]) -> R:
    """Runs a command on the fastest event loop there is here."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    try:
        import uvloop  # not on every platform
    except ImportError:
        pass
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set: the moment to drain. A second signal ends the process at once.

    One that follows within a second is the first once more: who signals a process group reaches this process
    itself and `make` or a shell above it, which passes the signal on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    drain_asked_at: float | None = None

    def on_signal(number: signal.Signals) -> None:
        nonlocal drain_asked_at
        now = loop.time()
        if drain_asked_at is None:
            drain_asked_at = now
            stop.set()
        elif now - drain_asked_at >= _SAME_SIGNAL_SECONDS:
            sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    if PARENT_FD in os.environ:  # started by `up`: leave when it is gone, however it went
        descriptor = int(os.environ[PARENT_FD])

        def on_orphaned() -> None:
            loop.remove_reader(descriptor)
            stop.set()

        loop.add_reader(descriptor, on_orphaned)
    return stop


def print_json(document: object) -> None:
    """One JSON document on standard output. IDs must already be strings."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")


class Snowflake(click.ParamType[int]):
    """A guild's or user's ID on the command line."""

    name = "ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = -1
        if not 0 <= number < 2**63:
            self.fail(f"{value!r} is not a Discord ID (a number)", param, ctx)
        return number
