"""The verdict over a process's parts and shards."""

import pytest

from markov_shard.health import Finding, Health, Verdict

OK, DEGRADED, DOWN = (Finding(verdict, verdict.name) for verdict in Verdict)


@pytest.mark.parametrize(
    ("shards", "verdict"),
    [
        ({}, Verdict.OK),
        ({0: OK, 1: OK}, Verdict.OK),
        ({0: OK, 1: DOWN}, Verdict.DEGRADED),
        ({0: DOWN, 1: DOWN}, Verdict.DOWN),
        ({0: DEGRADED}, Verdict.DEGRADED),
    ],
)
def test_some_shards_down_is_degraded_all_is_down(shards: dict[int, Finding], verdict: Verdict) -> None:
    health = Health("shard", "shard-1")
    health.set_shards(lambda: shards)
    assert health.verdict() is verdict


def test_a_part_that_is_down_takes_the_process_down() -> None:
    health = Health("shard", "shard-1")
    health.add("storage", lambda: DOWN)
    assert not health.is_ready()


def test_a_draining_process_is_not_ready_but_well() -> None:
    health = Health("shard", "shard-1")
    assert health.is_ready()
    health.draining = True
    assert not health.is_ready()
    assert health.verdict() is Verdict.OK


def test_a_check_that_raises_is_a_part_that_is_down() -> None:
    def broken() -> Finding:
        raise ZeroDivisionError("oops")

    health = Health("shard", "shard-1")
    health.add("storage", broken)
    finding = health.findings()["storage"]
    assert finding.verdict is Verdict.DOWN
    assert "oops" in finding.text
