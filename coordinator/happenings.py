"""What changed between two looks at the fleet, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

_WRONG = ("failed", "unowned")


@dataclass(frozen=True)
class Happening:
    """`at`: seconds since the epoch."""

    at: float
    kind: Literal["move", "process", "shard", "error"]
    text: str


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any], now: float) -> Iterator[Happening]:
    """Processes that came, went or drain, ranges that moved, shards that failed or came back, a new leader."""
    if before is None:
        yield from _shards({"shards": []}, after, now)
        return
    yield from _processes(before, after, now)
    if before["leader"] != after["leader"]:
        text = f"{after['leader']} leads" if after["leader"] else "nobody leads"
        yield Happening(now, "process" if after["leader"] else "error", text)
    ranges = [{p["name"]: p["range"] for p in look["processes"] if p["range"]} for look in (before, after)]
    moved = {name: part for name, part in ranges[1].items() if ranges[0].get(name) != part}
    if moved or before["why"] != after["why"]:
        where = (
            f": {len(moved)} range(s) changed" if len(moved) > 3 else "".join(f"; {n} {r}" for n, r in moved.items())
        )
        yield Happening(now, "move", f"{after['why']}{where}")
    yield from _shards(before, after, now)


def _processes(before: Mapping[str, Any], after: Mapping[str, Any], now: float) -> Iterator[Happening]:
    old = {process["name"]: process for process in before["processes"]}
    new = {process["name"]: process for process in after["processes"]}
    for role in ("coordinator", "shard", "worker"):
        joined = sorted(name for name in new.keys() - old.keys() if new[name]["role"] == role)
        if joined:
            yield Happening(now, "process", f"{_named(joined)} joined, {role}{_s(joined)}")
        gone = {name: old[name]["draining"] for name in sorted(old.keys() - new.keys()) if old[name]["role"] == role}
        left, lost = [n for n, drained in gone.items() if drained], [n for n, drained in gone.items() if not drained]
        if left:
            yield Happening(now, "process", f"{_named(left)} left, drained")
        if lost:
            kind: Literal["error", "process"] = "error" if role == "shard" else "process"
            yield Happening(now, kind, f"{_named(lost)} {'are' if len(lost) > 1 else 'is'} gone, {role}{_s(lost)}")
    for name in sorted(new.keys() & old.keys()):
        if new[name]["draining"] and not old[name]["draining"]:
            yield Happening(now, "process", f"{name} drains")


def _shards(before: Mapping[str, Any], after: Mapping[str, Any], now: float) -> Iterator[Happening]:
    """One line for all shards that changed to the same state for the same reason, of which there may be a thousand."""
    old = {shard["shard_id"]: shard["state"] for shard in before["shards"]}
    changed: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for shard in after["shards"]:
        known = old.get(shard["shard_id"])
        if shard["state"] == "failed" if known is None else shard["state"] != known:
            changed.setdefault((shard["state"], shard["error"] or ""), []).append(shard)
    for (state, error), shards in changed.items():
        named = ", ".join(str(shard["shard_id"]) for shard in shards[:5])
        who = (
            f"shard{'s' if len(shards) > 1 else ''} {named}{f' and {len(shards) - 5} more' if len(shards) > 5 else ''}"
        )
        which: Literal["error", "shard"] = "error" if state in _WRONG else "shard"
        yield Happening(now, which, f"{who} {state}{f': {error}' if error else ''}")


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _s(things: Sequence[object]) -> str:
    return "s" if len(things) > 1 else ""
