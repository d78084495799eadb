"""Errors and 429s counted from the log, shown or not."""

import io
import logging

import pytest

from markov_shard.health.tally import source_of, tally_logs
from markov_shard.logs import get_logger, set_up_logging

TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMA.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB"


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)


def test_errors_are_counted_by_source_even_where_the_log_is_silent() -> None:
    stream = io.StringIO()
    set_up_logging("silent", form="json", stream=stream)
    with tally_logs() as tally:
        get_logger("markov_shard.guilds.learner").error("cannot store", reason=f"line one\nBot {TOKEN}")
        logging.getLogger("hikari.gateway.3").error("closed")
        logging.getLogger("asyncpg").warning("slow")
        get_logger("markov_shard.guilds.learner").info("fine")
    assert (tally.errors, tally.warnings) == ({"guilds.learner": 1, "hikari": 1}, {"asyncpg": 1})
    assert [trouble["text"] for trouble in tally.recent] == ["cannot store: line one\\nBot (hidden)", "closed"]
    assert stream.getvalue() == ""
    get_logger("markov_shard.guilds.learner").error("later")
    assert tally.errors["guilds.learner"] == 1


def test_an_exceptions_kind_is_told_and_only_the_latest_are_kept() -> None:
    set_up_logging("info", form="json", stream=io.StringIO())
    with tally_logs() as tally:
        for number in range(9):
            try:
                raise KeyError(number)
            except KeyError:
                get_logger("markov_shard.x").exception("failed")
    assert [trouble["text"] for trouble in tally.recent] == ["failed (KeyError)"] * 5
    assert tally.errors["x"] == 9


def test_429s_are_counted_by_scope_as_hikari_logs_them() -> None:
    log = logging.getLogger("hikari.rest")
    with tally_logs() as tally:
        log.error("rate limited on the global bucket (reason: '%s'). You should …", "none")
        log.warning("rate limited on a %s sub bucket on bucket %s (reason: '%s'). You should …", "shared", "b", "r")
        log.warning("rate limited on a %s sub bucket on bucket %s (reason: '%s'). You should …", "odd", "b", "r")
        log.warning("rate limited on bucket %s, maybe you are running more than one bot on this token?", "b")
        log.warning("something else")
    assert tally.rate_limited == {"global": 1, "shared": 1, "route": 2}


@pytest.mark.parametrize(
    ("logger", "source"),
    [
        ("markov_shard.guilds.learner", "guilds.learner"),
        ("markov_shard", "markov_shard"),
        ("coordinator.service", "coordinator.service"),
        ("hikari.gateway.1023", "hikari"),
        ("asyncpg", "asyncpg"),
    ],
)
def test_a_source_is_a_module_of_ours_or_a_library(logger: str, source: str) -> None:
    assert source_of(logger) == source
