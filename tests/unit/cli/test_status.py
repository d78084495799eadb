"""`status` in the terminal, for small and large fleets."""

from typing import Any

from rich.console import Console

from markov_shard.cli.status import drawn


def document(shards: int, failed: int = 0, **more: Any) -> dict[str, Any]:
    process = {"name": "shard-1", "role": "shard", "range": f"shards 0-{shards - 1} of {shards}", "draining": False}
    return {
        "leader": "coordinator-1",
        "why": "first placement",
        "processes": [{**process, "memory": 80 << 20, "lag_ms": 0.4, "seconds": 7.0}],
        "shards": [
            {
                "shard_id": shard_id,
                "state": "failed" if shard_id < failed else "connected",
                "owner": "shard-1",
                "epoch": 1,
                "latency_ms": 41.5,
                "resumes": 0,
                "identifies": 1,
                "error": "closed: 4014\x1b[2J" if shard_id < failed else None,
            }
            for shard_id in range(shards)
        ],
        "queue": {"lanes": {"training": {"depth": 2}}, "dead": 0, "jobs": {"done": 3}},
        "caches": {
            "redis": {"used": 1 << 20, "hits": 1, "misses": 2, "evicted": 3},
            "chains": {"open": 4, "bytes": 1 << 20, "hits": 5, "misses": 6},
        },
        **more,
    }


def text(status: dict[str, Any]) -> str:
    console = Console(width=140, record=True, file=open("/dev/null", "w"), color_system=None)  # noqa: SIM115, PTH123
    with console.file:
        console.print(drawn(status))
        return console.export_text()


def test_a_small_fleet_has_a_line_a_shard() -> None:
    shown = text(document(4))
    assert shown.count("41.5 ms") == 4
    assert "■■■■" in shown
    assert "2 training, 0 dead letters; jobs: 3 done" in shown


def test_of_a_large_fleet_only_what_is_in_trouble_has_a_line() -> None:
    shown = text(document(1000, failed=2))
    assert shown.count("closed: 4014") == 2
    assert "\x1b" not in shown
    assert shown.count("■") == 998
    assert "all 1000 shards are connected" in text(document(1000))


def test_watching_adds_the_past_and_what_happened() -> None:
    point = {"at": 1.0, "events": 5, "replies": 2.5, "learned": 1.0, "queue": 0, "connected": 4, "latency_ms": 41.5}
    happened = [{"at": 1.0, "kind": "error", "text": "shard-2 is gone"}]
    shown = text(document(4, history=[point, {**point, "replies": 5.0}], happened=happened, trouble="Redis is away"))
    assert "replies/s 5.0 ▅█" in shown.replace("▄█", "▅█")
    assert "shard-2 is gone" in shown
    assert "Redis is away; shown is what was known before" in shown


def test_a_fleet_never_seen_says_why() -> None:
    assert "Redis is away" in text({"trouble": "Redis is away", "history": [], "happened": []})
