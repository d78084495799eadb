"""What the coordinator makes of two looks at the fleet."""

from typing import Any

import pytest
from prometheus_client.exposition import generate_latest

from coordinator.happenings import changes
from coordinator.measures import measure_fleet
from coordinator.watch import FleetWatch
from markov_shard.errors import RedisUnavailableError
from markov_shard.health.metrics import Metrics


def process(name: str, role: str = "shard", **more: Any) -> dict[str, Any]:
    counts = {"events": 0, "replies": 0, "learned": 0, "unlearned": 0} if role == "shard" else None
    return {"name": name, "role": role, "range": None, "draining": False, "counts": counts, "errors": [], **more}


def shard(shard_id: int, state: str = "connected", error: str | None = None) -> dict[str, Any]:
    return {"shard_id": shard_id, "state": state, "error": error, "latency_ms": 40.0 + shard_id}


def fleet(*processes: dict[str, Any], shards: list[dict[str, Any]], why: str = "first placement") -> dict[str, Any]:
    lanes = {"training": {"depth": 2, "oldest_seconds": 9.0}, "upkeep": {"depth": 0, "oldest_seconds": 0.0}}
    redis = {"used": 100, "limit": 1000, "evicted": 3, "hits": 20, "misses": 5}
    return {
        "leader": next((p["name"] for p in processes if p["role"] == "coordinator"), None),
        "why": why,
        "processes": list(processes),
        "shards": shards,
        "queue": {"lanes": lanes, "dead": 1, "jobs": {"done": 4}},
        "caches": {"redis": redis, "chains": {}},
    }


def texts(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    return [(happening.kind, happening.text) for happening in changes(before, after, 1.0)]


def test_joining_leaving_draining_and_dying_are_told_apart() -> None:
    before = fleet(process("a"), process("b", draining=True), process("c"), shards=[])
    after = fleet(process("a", draining=True), *(process(f"n{n}") for n in range(7)), shards=[])
    assert texts(before, after) == [
        ("process", "n0, n1, n2, n3, n4 and 2 more joined, shards"),
        ("process", "b left, drained"),
        ("error", "c is gone, shard"),
        ("process", "a drains"),
    ]


def test_moves_and_leaders() -> None:
    before = fleet(process("c1", "coordinator"), process("a", range="shards 0-3 of 4"), shards=[])
    after = fleet(
        process("c1", "coordinator"),
        process("a", range="shards 0-1 of 4"),
        process("b", range="shards 2-3 of 4"),
        shards=[],
        why="b joined",
    )
    assert ("move", "b joined; a shards 0-1 of 4; b shards 2-3 of 4") in texts(before, after)
    assert ("error", "nobody leads") in texts(before, fleet(process("a", range="shards 0-3 of 4"), shards=[]))


def test_many_shards_with_one_trouble_are_one_line() -> None:
    before = fleet(shards=[shard(n) for n in range(9)])
    after = fleet(shards=[shard(n, "failed", "closed: 4014") for n in range(8)] + [shard(8, "connecting")])
    assert texts(before, after) == [
        ("error", "shards 0, 1, 2, 3, 4 and 3 more failed: closed: 4014"),
        ("shard", "shard 8 connecting"),
    ]


def test_shards_with_different_troubles_are_a_line_each() -> None:
    before = fleet(shards=[shard(n) for n in range(3)])
    after = fleet(shards=[shard(0, "failed", "4014"), shard(1, "failed", "4004"), shard(2, "failed", "4014")])
    assert texts(before, after) == [("error", "shards 0, 2 failed: 4014"), ("error", "shard 1 failed: 4004")]


def test_the_first_look_tells_of_no_changes_but_of_what_is_wrong_already() -> None:
    assert list(changes(None, fleet(process("a"), shards=[shard(0), shard(1, "connecting")]), 1.0)) == []
    after = fleet(process("a"), shards=[shard(0), shard(1, "failed", "closed: 4014")])
    (found,) = changes(None, after, 1.0)
    assert (found.kind, found.text) == ("error", "shard 1 failed: closed: 4014")
    assert ("error", found.text) in texts(fleet(process("a"), shards=[]), after)


async def test_rates_errors_and_metrics_come_from_the_looks() -> None:
    now, replies = [100.0], [0]
    trouble = {"at": 99.5, "source": "guilds.learner", "text": "cannot store"}

    async def ask() -> dict[str, Any]:
        counts = {"events": 0, "replies": replies[0], "learned": 0, "unlearned": 0}
        return fleet(process("a", counts=counts, errors=[trouble]), shards=[shard(0), shard(1, "failed")])

    watch, metrics = FleetWatch(ask, clock=lambda: now[0]), Metrics()
    measure_fleet(metrics, watch, clock=lambda: now[0])
    assert "markov_fleet_seen_seconds +Inf" in generate_latest(metrics.registry).decode()
    await watch.look()
    now[0], replies[0] = 102.0, 10
    await watch.look()
    document = watch.document
    assert [point["replies"] for point in document["history"]] == [0.0, 5.0]
    assert [h["text"] for h in document["happened"]] == ["a: cannot store", "shard 1 failed"]
    now[0] = 105.0
    text = generate_latest(metrics.registry).decode()
    for line in (
        "markov_fleet_seen_seconds 3.0",
        'markov_fleet_shards{state="failed"} 1.0',
        'markov_fleet_processes{role="worker"} 0.0',
        'markov_queue_oldest_seconds{lane="training"} 9.0',
        "markov_dead_letters 1.0",
        "markov_redis_evicted_keys_total 3.0",
        "markov_fleet_leaders 0.0",
    ):
        assert line in text


async def test_a_restarted_process_does_not_make_a_negative_rate() -> None:
    now, replies = [100.0], [50]

    async def ask() -> dict[str, Any]:
        counts = {"events": 0, "replies": replies[0], "learned": 0, "unlearned": 0}
        return fleet(process("a", counts=counts), shards=[])

    watch = FleetWatch(ask, clock=lambda: now[0])
    await watch.look()
    now[0], replies[0] = 101.0, 2
    await watch.look()
    assert watch.document["history"][-1]["replies"] == 0.0


async def test_what_was_seen_stays_while_the_fleet_cannot_be_asked(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Any] = [fleet(process("a"), shards=[]), RedisUnavailableError("Redis is away"), KeyError("odd")]

    async def ask() -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    watch = FleetWatch(ask)
    await watch.look()
    assert watch.trouble is None
    await watch.look()
    assert watch.trouble == "Redis is away"
    assert watch.document["processes"][0]["name"] == "a"
    assert watch.document["happened"][0]["text"] == "the fleet cannot be seen: Redis is away"
    await watch.look()
    assert "odd" in str(watch.trouble)
