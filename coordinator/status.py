"""The fleet at a glance: one document for the status page, `status.json` and `markov-shard status`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from coordinator.resharding import suggested
from markov_shard.errors import DatabaseUnavailableError
from markov_shard.flags import FLAGS
from markov_shard.runtime import Runtime
from markov_shard.shared.assignment import Assignment, read_assignment
from markov_shard.shared.figures import redis_figures
from markov_shard.shared.flags import read_live
from markov_shard.shared.identify import read_budget
from markov_shard.shared.leases import Lease, read_leases
from markov_shard.shared.members import Member, read_members
from markov_shard.shared.queue import JobQueue
from markov_shard.store.jobs import LANES, count_jobs


async def fleet_status(runtime: Runtime) -> dict[str, Any]:
    """What every process says of itself, and who holds what. Raises RedisUnavailableError."""
    redis = runtime.redis
    members = await read_members(redis)
    assignment = await read_assignment(redis)
    leases = await read_leases(redis, assignment.shard_count) if assignment else []
    queue = JobQueue(redis, runtime.name)
    lanes = {lane: {"depth": await queue.depth(lane), "oldest_seconds": await queue.oldest(lane)} for lane in LANES}
    return {
        "leader": next((member.name for member in members if member.details.get("leads")), None),
        "why": assignment.why if assignment else "nothing is placed yet",
        "shard_count": assignment.shard_count if assignment else 0,
        "resharding": _resharding(members, assignment),
        "suggested_shards": _suggested(members, assignment),
        "processes": [_process(member, assignment) for member in members],
        "shards": [_shard(lease, members) for lease in leases],
        "queue": {
            "training": lanes["imports"]["depth"] + lanes["history"]["depth"],
            **{lane: figures["depth"] for lane, figures in lanes.items()},
            "lanes": lanes,
            "dead": await queue.dead(),
            "jobs": await _jobs(runtime),
        },
        "identifies": asdict(budget) if (budget := await read_budget(redis)) else None,
        "flags": await _flags(runtime),
        "caches": {"redis": await redis_figures(redis), "chains": _chains(members)},
    }


def _resharding(members: Sequence[Member], assignment: Assignment | None) -> dict[str, int] | None:
    """The set of shards that is to take over: how many it has, and how many of them are connected."""
    if assignment is None or not assignment.upcoming_count:
        return None
    up = {shard_id for member in members for shard_id in member.details.get("upcoming", ())}
    return {"shards": assignment.upcoming_count, "connected": len(up)}


def _suggested(members: Sequence[Member], assignment: Assignment | None) -> int | None:
    """How many shards the bot should have soon, when those it has are filling up."""
    guilds = next((found for member in members if (found := member.details.get("guilds"))), 0)
    return suggested(guilds, assignment.shard_count) if assignment and not assignment.upcoming_count else None


def _process(member: Member, assignment: Assignment | None) -> dict[str, Any]:
    part = assignment.ranges.get(member.name) if assignment else None
    return {
        "name": member.name,
        "role": member.role,
        "url": member.url,
        "range": str(part) if part else None,
        "draining": member.draining,
        "seconds": round(member.age, 1),
        "memory": member.details.get("memory"),
        "lag_ms": round(member.details.get("lag", 0.0) * 1000, 1),
        "counts": member.details.get("counts"),
        "waiting": member.details.get("waiting", 0),
        "waiting_seconds": member.details.get("waiting_seconds", 0.0),
        "jobs": member.details.get("jobs", []),
        "errors": member.details.get("errors", []),
    }


def _shard(lease: Lease, members: Sequence[Member]) -> dict[str, Any]:
    owner = next((member for member in members if member.name == lease.holder), None)
    seen: Mapping[str, Any] = (owner.details.get("shards") or {}).get(lease.shard_id, {}) if owner else {}
    latency = seen.get("latency")
    return {
        "shard_id": lease.shard_id,
        "owner": lease.holder or None,
        "epoch": lease.epoch,
        "state": seen.get("state", "connecting") if lease.holder else "unowned",
        "latency_ms": round(latency * 1000, 1) if latency is not None else None,
        "last_event_age": seen.get("last_event_age"),
        "resumes": seen.get("resumes", 0),
        "identifies": seen.get("identifies", 0),
        "error": seen.get("error"),
    }


async def _flags(runtime: Runtime) -> list[dict[str, Any]]:
    """The rollout flags as they are live; none before the first leader published them."""
    live = await read_live(runtime.redis)
    rollouts = live[1] if live else {}
    return [
        {"flag": flag, "percentage": float(rollouts[flag].percentage), "forced": list(map(str, rollouts[flag].forced))}
        for flag in FLAGS
        if flag in rollouts
    ]


async def _jobs(runtime: Runtime) -> dict[str, int] | None:
    """Jobs by state; None while Postgres is away."""
    try:
        async with runtime.database.connection() as connection:
            return await count_jobs(connection)
    except DatabaseUnavailableError:
        return None


def _chains(members: Sequence[Member]) -> dict[str, int]:
    """Open chains of all processes: how many, their bytes, and how often one asked for was open."""
    figures = [member.details.get("chains") or {} for member in members if member.role == "shard"]
    return {key: sum(int(figure.get(key, 0)) for figure in figures) for key in ("open", "bytes", "hits", "misses")}
