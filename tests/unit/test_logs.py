"""One stream of log lines, theirs and ours, without secrets."""

import io
import json
import logging

import pytest

from markov_shard.logs import TRACE, get_logger, set_up_logging

TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMA.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB"


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_the_libraries_share_one_json_stream() -> None:
    stream = io.StringIO()
    set_up_logging("info", form="json", role="shard", stream=stream)
    get_logger("ours").info("hello", guild="42")
    logging.getLogger("hikari.gateway").warning("theirs %s", 7)
    ours, theirs = lines(stream)
    assert (ours["event"], ours["guild"], ours["role"], ours["level"]) == ("hello", "42", "shard", "info")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs 7", "warning", "hikari.gateway")


def test_tokens_and_passwords_are_hidden_wherever_they_stand() -> None:
    stream = io.StringIO()
    set_up_logging("info", form="json", stream=stream)
    get_logger("ours").info(f"using {TOKEN}", url="redis://me:hunter2@host:6379/0")
    logging.getLogger("theirs").error("connect to postgresql://me:hunter2@host/db failed")
    assert TOKEN not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert "host:6379" in stream.getvalue()


@pytest.mark.parametrize(("level", "shown"), [("silent", 0), ("error", 1), ("info", 2), ("debug", 3), ("trace", 4)])
def test_the_level_decides_what_is_shown(level: str, shown: int) -> None:
    stream = io.StringIO()
    set_up_logging(level, form="json", stream=stream)
    log = logging.getLogger("any")
    for severity in (logging.ERROR, logging.INFO, logging.DEBUG, TRACE):
        log.log(severity, "line")
    assert len(lines(stream)) == shown
