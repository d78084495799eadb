"""The memory of every process of a run, looked at while it lasts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from markov_shard.shared.connect import connect_redis

_PROC = Path("/proc")


@dataclass
class Peaks:
    """The most that any process of a name had at a time, in megabytes."""

    resident: dict[str, float] = field(default_factory=dict)
    """All that lies in memory, what is shared with others included."""
    anonymous: dict[str, float] = field(default_factory=dict)
    """What is the process's own and backed by no file."""

    def look(self, roots: Mapping[str, int]) -> None:
        """Takes in every process that descends from the roots, under its root's name."""
        for name, pid in _descending(roots):
            try:
                status = (_PROC / str(pid) / "status").read_text()
            except OSError:
                continue  # ended meanwhile
            lines = dict(line.split(":", 1) for line in status.splitlines())
            for peaks, key in ((self.resident, "VmRSS"), (self.anonymous, "RssAnon")):
                if key in lines:
                    peaks[name] = max(peaks.get(name, 0.0), int(lines[key].split()[0]) * 1024 / 1e6)


def _descending(roots: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    children: dict[int, list[int]] = {}
    for place in _PROC.iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(place.name))
    for name, root in roots.items():
        waiting = [root]
        while waiting:
            pid = waiting.pop()
            yield name, pid
            waiting += children.get(pid, ())


async def servers(database_url: str, redis_url: str) -> dict[str, int]:
    """The process IDs of the servers, of Postgres the one that all its others descend from."""
    connection = await asyncpg.connect(database_url)
    try:
        postgres = int((await connection.fetchval("SELECT pg_read_file('postmaster.pid')")).split()[0])
    finally:
        await connection.close()
    redis = await connect_redis(redis_url)
    try:
        return {"Postgres": postgres, "Valkey": int((await redis.info("server"))["process_id"])}
    finally:
        await redis.aclose()


@contextlib.asynccontextmanager
async def watched(roots: Mapping[str, int], *, seconds: float) -> AsyncIterator[Peaks]:
    """The peaks of these processes and all under them while the block runs, looked at every so many seconds."""
    peaks = Peaks()

    async def look() -> None:
        while True:
            peaks.look(roots)
            await asyncio.sleep(seconds)

    looking = asyncio.create_task(look())
    try:
        yield peaks
    finally:
        looking.cancel()
