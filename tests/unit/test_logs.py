"""One stream of log lines, theirs and ours, without secrets."""

import asyncio
import io
import json
import logging
from typing import Literal

import pytest
import structlog

from markov_shard.fast_lines import FastLogger
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


INTERACTION = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5OmFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6"


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_are_hidden_in_fields_of_fields_in_tracebacks_and_in_the_libraries_lines(form: str) -> None:
    stream = io.StringIO()
    set_up_logging("trace", form=form, secrets=["correct horse"], stream=stream)  # type: ignore[arg-type]
    try:
        raise ValueError(f"bad header: Bot {TOKEN}")
    except ValueError:
        get_logger("ours").exception("failed", headers={"Authorization": [TOKEN]}, given=("correct horse", b"bytes"))
    logging.getLogger("hikari.rest").log(TRACE, "POST /interactions/1/%s/callback", INTERACTION)
    logging.getLogger("hikari.rest").warning("POST /webhooks/123456789/abc-def_ghi failed")
    logging.getLogger("asyncpg").warning("password is correct horse", extra={"url": "postgresql://a:hunter2@b/c"})
    written = stream.getvalue()
    for secret in (TOKEN, "correct horse", INTERACTION, "abc-def_ghi", "hunter2"):
        assert secret not in written
    assert "ValueError: bad header" in written
    assert "b'bytes'" in written


def test_the_compose_files_default_password_does_not_hide_our_own_name() -> None:
    stream = io.StringIO()
    set_up_logging("info", form="json", secrets=["markov"], stream=stream)
    get_logger("markov_shard.bot").info("ready")
    assert "markov_shard.bot" in stream.getvalue()


def test_a_field_cannot_pose_as_a_line_or_steer_the_terminal() -> None:
    for form in ("text", "json"):
        stream = io.StringIO()
        set_up_logging("info", form=form, stream=stream)  # type: ignore[arg-type]
        evil = "x\r\n2026-01-01 [info] all is well\x1b[2J\u2028\u202e"
        get_logger("ours").info(evil, name=evil, deep={"key\n": [evil]})
        logging.getLogger("theirs").warning("got %s", evil)
        assert len(stream.getvalue().splitlines()) == 2
        assert not set(stream.getvalue()) & set("\x1b\r\u2028\u202e")


def test_bound_ids_are_on_the_lines_of_ours_and_theirs() -> None:
    stream = io.StringIO()
    set_up_logging("info", form="json", stream=stream)
    with structlog.contextvars.bound_contextvars(shard=3, guild="42", trace="7.1"):
        get_logger("ours").info("a")
        logging.getLogger("asyncpg").warning("b")
    get_logger("ours").info("c")
    bound = [{key: line.get(key) for key in ("shard", "guild", "trace")} for line in lines(stream)]
    assert bound == [{"shard": 3, "guild": "42", "trace": "7.1"}] * 2 + [dict.fromkeys(("shard", "guild", "trace"))]


def test_a_fast_line_is_what_the_ordinary_logger_writes() -> None:
    stream = io.StringIO()
    set_up_logging("info", form="json", role="shard", stream=stream)
    with structlog.contextvars.bound_contextvars(trace="5"):
        for log in (FastLogger("a.b"), get_logger("a.b")):
            log.info("Using cached CDN URL", guild="7", ms=0.25)
    fast, ordinary = (json.loads(line) for line in stream.getvalue().splitlines())
    assert fast.pop("timestamp")[:13] == ordinary.pop("timestamp")[:13]
    assert fast == ordinary == {
        "event": "Using cached CDN URL", "guild": "7", "ms": 0.25, "trace": "5",
        "role": "shard", "level": "info", "logger": "a.b",
    }  # fmt: skip


@pytest.mark.parametrize(("level", "form", "lines"), [("warn", "json", 0), ("silent", "json", 0), ("info", "text", 1)])
def test_a_fast_line_is_shown_when_an_ordinary_one_would_be(
    level: str, form: Literal["json", "text"], lines: int
) -> None:
    stream = io.StringIO()
    set_up_logging(level, form=form, stream=stream)
    FastLogger("a").info("Generated optimized response text", ms=1.5)
    assert stream.getvalue().count("Generated optimized response text") == lines


async def test_a_fast_line_waits_for_what_is_being_done() -> None:
    stream = io.StringIO()
    set_up_logging("info", form="json", stream=stream)
    FastLogger("a").infos(("one", {}), ("two", {}))
    FastLogger("a").info("three")
    assert not stream.getvalue()
    await asyncio.sleep(0)
    assert [line["event"] for line in lines(stream)] == ["one", "two", "three"]


def test_a_fast_line_reaches_other_handlers_that_want_it(caplog: pytest.LogCaptureFixture) -> None:
    set_up_logging("info", form="json", stream=io.StringIO())
    logging.getLogger().addHandler(caplog.handler)
    try:
        FastLogger("a").info("Generated optimized response text", ms=1.5)
        assert len(caplog.records) == 1
    finally:
        logging.getLogger().removeHandler(caplog.handler)
