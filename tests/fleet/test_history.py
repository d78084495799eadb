"""A guild's past over REST by a real worker: through trouble, a kill, a forbidden and a deleted channel."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from discord_sim import DEMO_TOKEN, permissions
from discord_sim.client import SimClient
from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared.connect import connect_redis
from markov_shard.store.channels import ChannelRow, set_listening
from markov_shard.store.jobs import FINISHED, Job, read_job
from markov_shard.store.ledger import Chunk, last_chunk
from markov_shard.store.pool import Database
from markov_shard.training.requests import request_training
from tests.fleet.processes import Fleet
from tests.fleet.servers import process_environment

GUILD = 81384788765712384
WORKER = "worker-1"


@dataclass(frozen=True)
class Plan:
    """How much there is to read, and what befalls the reading."""

    messages: int
    """In all, but for a few; see `SHARES`."""
    kills: int
    limits: bool
    """Discord's rate limits, as they are."""
    faults: tuple[dict[str, Any], ...]


TROUBLE = ({"status": 429, "scope": "shared"}, {"status": 429, "scope": "global"}, {"status": 502}, {"drop": "before"})
PAGES = {"path": r"/messages$", "method": "GET", "retry_after": 0.2}
SMALL = Plan(1_500, 1, False, tuple(PAGES | fault | {"skip": 3 * n} for n, fault in enumerate(TROUBLE)))
GREAT = Plan(50_000, 3, True, tuple(PAGES | fault | {"count": None, "chance": 0.01} for fault in TROUBLE))

SHARES = {"general": 0.3, "side": 0.2, "bots": 0.1, "quiet": 0.02, "hidden": 0.1, "doomed": 0.1}
"""Of the messages, by channel."""
THREADS = {("general", "talk", False): 0.08, ("general", "old talk", True): 0.06, ("side", "older", True): 0.04}
"""Of the messages, by channel, name, and whether the thread is archived."""


@dataclass
class Past:
    """A guild with a past, and the worker that reads it."""

    plan: Plan
    sim: SimClient
    fleet: Fleet
    runtime: Runtime
    places: dict[str, str] = field(default_factory=dict)
    """Channels and threads by name."""
    told_in: list[str] = field(default_factory=list)

    async def fill(self) -> None:
        made = await self.sim.create_guild(
            "old server",
            guild_id=GUILD,
            channels=[{"name": name} for name in SHARES],
            members=[{"username": f"member {n}"} for n in range(9)] + [{"username": "other bot", "bot": True}],
        )
        self.places = {channel["name"]: channel["id"] for channel in made["channels"]}
        people = [member["id"] for member in made["members"] if not member["bot"]]
        machine = next(member["id"] for member in made["members"] if member["username"] == "other bot")
        for (parent, name, archived), share in THREADS.items():
            thread = await self.sim.create_thread(str(GUILD), self.places[parent], name, archived=archived)
            self.places[name] = thread["id"]
            await self._tell(name, share, people)
        for name, share in SHARES.items():
            await self._tell(name, share, people)
        said = [{"author": machine, "content": f"I am a machine, {n}"} for n in range(30)]
        await self.sim.send_messages(self.places["bots"], said, dispatch=False)
        await self.sim.send_webhook_message(self.places["bots"], "relay", "from elsewhere")
        await self.sim.overwrite(self.places["hidden"], str(GUILD), deny=permissions.VIEW_CHANNEL)
        async with self.runtime.database.connection() as connection:
            rows = [ChannelRow(int(self.places[name])) for name in SHARES]
            await set_listening(connection, GUILD, rows, listen=True)

    async def _tell(self, name: str, share: float, people: list[str]) -> None:
        count, place = round(share * self.plan.messages), self.places[name]
        await self.sim.generate_history(place, count, days=300 + len(self.told_in), seed=int(place), authors=people)
        self.told_in.append(place)

    async def trouble(self) -> None:
        """Everything is arranged that is to go wrong; the doomed channel is deleted half-way."""
        half = round(SHARES["doomed"] * self.plan.messages / 200)
        doomed = self.places["doomed"]
        ends = {"path": f"/{doomed}/messages$", "method": "GET", "skip": half, "delete_channel": doomed}
        await self.sim.faults(rest=[ends, *self.plan.faults])

    async def told(self) -> dict[int, set[str]]:
        """What people said where it can be read, by message ID: the stand-in's are unique in a channel only."""
        found: dict[int, set[str]] = {}
        for name, place in self.places.items():
            before = None
            while name not in ("hidden", "doomed"):
                page = await self.sim.messages(place, limit=100, before=before)
                for message in page:
                    if not message["author"].get("bot"):
                        found.setdefault(int(message["id"]), set()).add(message["content"])
                if len(page) < 100:
                    break
                before = page[-1]["id"]
        return found

    async def job(self, job_id: int) -> tuple[Job, Chunk | None]:
        async with self.runtime.database.connection() as connection:
            job = await read_job(connection, GUILD, job_id)
            return job, await last_chunk(connection, job)

    async def finished(self, job_id: int) -> Job:
        while (job := (await self.job(job_id))[0]).state not in FINISHED:
            await asyncio.sleep(0.1)
        return job

    async def pages(self) -> list[tuple[str, str | None, int]]:
        """Pages of messages that were asked for: channel, where they begin, and the status."""
        asked = await self.sim.requests("GET", r"/channels/\d+/messages$")
        return [(e["path"].split("/")[-2], e["query"].get("before"), e["status"]) for e in asked]


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    plan: Plan = request.param
    return plan


@pytest.fixture
async def past(
    plan: Plan, tmp_path: Path, sim: SimClient, database: Database, migrated_url: str, redis_url: str
) -> AsyncIterator[Past]:
    environment = process_environment(
        tmp_path,
        DATABASE_URL=migrated_url,
        REDIS_URL=redis_url,
        TOKEN=DEMO_TOKEN,
        REST_URL=f"{sim.base_url}/api/v10",
        WORKER_POOL_SIZE="1",
    )
    if not plan.limits:
        await sim.limits(buckets=False, global_per_second=None)
    redis = await connect_redis(redis_url)
    runtime = Runtime(Settings(), "test", ServiceUrls(migrated_url, redis_url), database, redis)
    made = Past(plan, sim, Fleet(tmp_path, environment), runtime)
    try:
        await made.fill()
        yield made
    finally:
        await made.fleet.stop()
        await redis.aclose()


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(SMALL, marks=pytest.mark.timeout(120), id="small"),
        pytest.param(GREAT, marks=[pytest.mark.long, pytest.mark.timeout(900)], id="great"),
    ],
    indirect=True,
)
async def test_a_past_is_learned_once_whatever_befalls_the_reading(plan: Plan, past: Past) -> None:
    await past.trouble()
    job_id = await request_training(past.runtime, GUILD, url=None, clean=True, user_id=1)
    await past.fleet.start(WORKER)
    told, rng = await past.told(), random.Random(1)
    for kill in range(plan.kills):
        enough = (kill + rng.random()) * 0.8 * len(told) / plan.kills
        while (job := (await past.job(job_id))[0]).messages < enough:
            assert job.state not in FINISHED, job
            await asyncio.sleep(0.01)
        await past.fleet.kill(WORKER)
        job, chunk = await past.job(job_id)
        assert chunk is not None
        already = len(await past.pages())
        await past.fleet.start(WORKER)
        while len(pages := await past.pages()) == already:
            await asyncio.sleep(0.05)
        if chunk.position["current"] is not None:  # else between two channels
            assert pages[already][:2] == (chunk.position["current"], chunk.position["before"])
    job = await past.finished(job_id)
    assert job.state == "done", job
    await check(past, job, told)


async def check(past: Past, job: Job, told: dict[int, set[str]]) -> None:
    """Each message that people said and the bot may read is learned once, and no page was read in vain."""
    async with past.runtime.database.connection() as connection:
        rows = await connection.fetch("SELECT message_id, content FROM messages WHERE guild_id = $1", GUILD)
    assert Counter(row["message_id"] for row in rows) == Counter(told.keys())
    assert all(row["content"] in told[row["message_id"]] for row in rows)
    unreadable = {past.places["hidden"], past.places["doomed"]}
    assert set(job.payload["refused"]) == unreadable

    pages = await past.pages()
    read = Counter((channel, before) for channel, before, status in pages if status == 200)
    again = {page: count for page, count in read.items() if count > 1}
    assert sum(count - 1 for count in again.values()) <= past.plan.kills
    assert len(read) >= len(told) / 100
    answered = Counter(status for _, _, status in pages)
    assert answered[429] >= 2
    assert answered[502] >= 1
    assert answered[403] + answered[404] <= len(unreadable) * (1 + past.plan.kills)

    status, out, error = await past.fleet.command("chain", str(GUILD), "--verify", "--json")
    assert status == 0, error
    figures = json.loads(out)
    assert (figures["messages"], figures["verified"]) == (len(told), True)
