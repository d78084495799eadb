"""4 shard processes, 2 coordinators and a worker under a steady stream of messages, and what a member sees of it."""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from discord_sim import DEMO_BOT_ID, DEMO_TOKEN
from markov_shard.ranges import shard_of
from markov_shard.snowflakes import made_at_ms
from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database
from markov_shard.store.shard_plan import read_plan
from tests.fleet.processes import Fleet, free_port
from tests.fleet.stage_postgres import PostgresServer
from tests.redis_servers import redis_servers
from tests.standin import stand_in_process

SHARDS = ("shard-1", "shard-2", "shard-3", "shard-4")
COORDINATORS = ("coordinator-1", "coordinator-2")
WORKERS = ("worker-1",)
_STREAM_SECONDS = 0.25
_ASKED_EVERY = 8
"""Every so many messages of a server one mentions the bot; Discord takes an answer a second in a channel."""
_PAGE = 100
_WATCH_SECONDS = 0.03


@dataclass
class Gaps:
    """How long each shard had no connection with a running process behind it: the longest, in seconds."""

    longest: dict[int, float] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    frozen: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Shards whose process is stopped: their session and its resumes, until somebody else has resumed it."""

    def look(self, sessions: Sequence[dict[str, Any]], shard_count: int) -> None:
        now = time.monotonic()
        served = set()
        for session in sessions:
            shard_id, count = session["shard"]
            if count == shard_count and session["connected"]:
                if self.frozen.get(shard_id) == (session["session_id"], session["resumes"]):
                    continue
                self.frozen.pop(shard_id, None)
                served.add(shard_id)
        for shard_id in range(shard_count):
            if shard_id in served:
                if shard_id in self.since:
                    gap = now - self.since.pop(shard_id)
                    self.longest[shard_id] = max(gap, self.longest.get(shard_id, 0.0))
            else:
                self.since.setdefault(shard_id, now)

    @property
    def worst(self) -> float:
        return max(self.longest.values(), default=0.0)


@dataclass
class Answers:
    """The bot's answers to messages that mention it, as the channels show them."""

    asked: dict[int, int] = field(default_factory=dict)
    """Message ID to guild ID."""
    given: dict[int, list[int]] = field(default_factory=dict)
    """Message ID to the IDs of its answers."""
    read_to: dict[str, int] = field(default_factory=dict)
    """How far each channel is read."""

    def twice(self) -> int:
        """Answers that were not the first to their message."""
        return sum(len(answers) - 1 for answers in self.given.values())

    def missing(self, since: int = 0) -> set[int]:
        """Messages from an ID on that have none."""
        return {message_id for message_id in self.asked.keys() - self.given.keys() if message_id >= since}

    def longest_wait(self, since: int = 0) -> float:
        """Seconds from a message to its answer, the worst of those from an ID on, by the stand-in's clock."""
        waits = [
            made_at_ms(min(answers)) - made_at_ms(message_id)
            for message_id, answers in self.given.items()
            if message_id >= since
        ]
        return max(waits, default=0) / 1000


class Stage:
    """The fleet with its servers; `async with`."""

    def __init__(self, folder: Path, shard_count: int = 16, *, dead_resume_urls: bool = False) -> None:
        """`dead_resume_urls`: every session names an address to resume at where nobody listens."""
        self.folder = folder
        self.shard_count = shard_count
        self.dead_resume_urls = dead_resume_urls
        self.redis = redis_servers(folder / "redis")
        self.postgres = PostgresServer(folder / "postgres")
        self.sent: dict[int, int] = {}
        """Message ID to guild ID of everything members wrote."""
        self.gaps = Gaps()
        self.answers = Answers()
        self.guilds: dict[int, tuple[str, str]] = {}
        """Guild ID to (channel, member)."""
        self._stack = contextlib.AsyncExitStack()
        self._flowing = asyncio.Event()
        self._still = asyncio.Event()
        self._number = self._round = 0

    async def __aenter__(self) -> "Stage":
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _build(self) -> None:
        push = self._stack.push_async_callback
        push(self.redis.stop)
        push(self.postgres.remove)
        url, _ = await asyncio.gather(self.postgres.start(), self.redis.start())
        await migrate(url)
        self.database = await self._stack.enter_async_context(await Database.open(url, size=2))
        self.sim = await self._stack.enter_async_context(stand_in_process())
        if self.dead_resume_urls:
            await self.sim.trouble_gateway(resume_url=f"ws://127.0.0.1:{free_port()}")
        environment = {
            "PATH": str(Path(sys.executable).parent),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "DATABASE_URL": url,
            "REDIS_URL": self.redis.url,
            "DATA_DIR": str(self.folder / "data"),
            "CONFIG_DIR": str(self.folder),
            "TOKEN": DEMO_TOKEN,
            "REST_URL": f"{self.sim.base_url}/api/v10",
            "REST_REQUESTS_PER_SECOND": "50",  # as where Discord itself is asked: the stand-in allows no more
            "SHARD_COUNT": str(self.shard_count),
            "LOG_FORMAT": "json",
            "MIN_SCORE": "1",
        }
        self.fleet = Fleet(self.folder, environment)
        for name in SHARDS:
            self.fleet.own_environment[name] = {"REDIS_URL": await self.redis.url_for(name)}
        push(self.fleet.stop)
        await self._make_guilds()
        await self.fleet.start(*COORDINATORS, *SHARDS, *WORKERS)
        await self.fleet.ready()
        for task in (self._stream(), self._watch()):
            running = asyncio.create_task(task)
            push(_cancelled, running)
        self._flowing.set()

    async def _make_guilds(self) -> None:
        for shard_id in range(self.shard_count):
            stamp = 300_000_000_000 + shard_id
            guild_id = (stamp - stamp % self.shard_count + shard_id) << 22
            made = await self.sim.create_guild(
                f"server {shard_id}",
                guild_id=guild_id,
                channels=[{"name": "general"}],
                members=[{"username": f"owner-{shard_id}", "admin": True}, {"username": f"member-{shard_id}"}],
            )
            assert shard_of(guild_id, self.shard_count) == shard_id
            channel = made["channels"][0]["id"]
            member = next(m["id"] for m in made["members"] if not m["bot"] and not m["admin"])
            self.guilds[guild_id] = (channel, member)
            async with self.database.connection() as connection:
                await connection.execute(
                    "INSERT INTO channels (guild_id, channel_id, listen) VALUES ($1, $2, true)", guild_id, int(channel)
                )

    async def _stream(self) -> None:
        """One message in each server, again and again."""
        while True:
            self._still.set()
            await self._flowing.wait()
            self._still.clear()
            started = time.monotonic()
            self._round += 1
            await asyncio.gather(*(self._say(guild_id) for guild_id in self.guilds))
            await asyncio.sleep(max(0.0, _STREAM_SECONDS - (time.monotonic() - started)))

    async def _say(self, guild_id: int) -> None:
        channel, member = self.guilds[guild_id]
        self._number += 1
        text = f"message {self._number} of the stream says something about {self._number % 7}"
        asked = (self._round + shard_of(guild_id, self.shard_count)) % _ASKED_EVERY == 0
        if asked:
            text = f"<@{DEMO_BOT_ID}> {text}"
        made = await self.sim.send_messages(channel, [{"author": member, "content": text}], dispatch=True)
        message_id = int(made[0]["id"])
        self.sent[message_id] = guild_id
        if asked:
            self.answers.asked[message_id] = guild_id

    async def _watch(self) -> None:
        while True:
            self.gaps.look(await self.sim.sessions(), self.shard_count)
            await asyncio.sleep(_WATCH_SECONDS)

    # --- for tests ------------------------------------------------------------------------------------------

    def owned_by(self, status: dict[str, Any], name: str) -> list[int]:
        return [shard["shard_id"] for shard in status["shards"] if shard["owner"] == name]

    async def freeze(self, name: str) -> None:
        """Notes that a process does not run, though its sockets stay open."""
        mine = set(self.owned_by(await self.fleet.status(), name))
        assert len(mine) == self.shard_count // len(SHARDS)
        for session in await self.sim.sessions():
            shard_id, count = session["shard"]
            if count == self.shard_count and shard_id in mine:
                self.gaps.frozen[shard_id] = (session["session_id"], session["resumes"])

    async def served(self) -> None:
        """Waits until every shard has been seen served, and every process says so."""
        while self.gaps.since or self.gaps.frozen:
            await asyncio.sleep(0.05)
        await self.fleet.ready()

    async def balanced(self) -> None:
        """Waits until every process owns its share: before that a fault may meet shards that change hands anyway."""
        while True:
            status = await self.fleet.status()
            owned = Counter(shard["owner"] for shard in status.get("shards", []) if shard["state"] == "connected")
            if owned == Counter(dict.fromkeys(SHARDS, self.shard_count // len(SHARDS))):
                return
            await asyncio.sleep(0.1)

    async def has_switched(self, shard_count: int) -> bool:
        """Whether so many shards have taken over."""
        async with self.database.connection() as connection:
            plan = await read_plan(connection)
        return plan.shard_count == shard_count and time.time() * 1000 >= plan.switch_at

    async def all_there(self) -> None:
        """Waits until every process that runs is a member of the fleet and one of them leads."""
        while True:
            status = await self.fleet.status()
            there = {process["name"] for process in status.get("processes", [])}
            if there >= self.fleet.processes.keys() and status["leader"]:
                return
            await asyncio.sleep(0.1)

    @property
    def newest_sent(self) -> int:
        """The ID of the latest message that a member wrote; 0 before the first."""
        return max(self.sent, default=0)

    async def settled(self) -> None:
        """Waits until exactly what members wrote is stored, each message once."""
        wanted = dict(self.sent)
        while True:
            async with self.database.connection() as connection:
                rows = await connection.fetch("SELECT guild_id, message_id FROM messages")
            found = Counter((row["guild_id"], row["message_id"]) for row in rows)
            assert set(found.values()) <= {1}
            if all((guild_id, message_id) in found for message_id, guild_id in wanted.items()):
                assert {
                    message_id for _, message_id in found
                } <= self.sent.keys() | wanted.keys() | await self._newest()
                return
            await asyncio.sleep(0.2)

    async def _newest(self) -> set[int]:
        """What the stand-in holds: a message may be stored before the stream has noted that it was sent."""
        found = set()
        for channel, _ in self.guilds.values():
            found |= {int(message["id"]) for message in await self.sim.messages(channel)}
        return found

    async def read_answers(self, *, since: int = 0, within: float = 0.0) -> Answers:
        """What was answered so far; waits a little for what was not, of messages from an ID on."""
        wanted, deadline = set(self.answers.asked), time.monotonic() + within
        await self._read_answers()
        while self.answers.missing(since) & wanted and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            await self._read_answers()
        return self.answers

    async def _read_answers(self) -> None:
        for channel, _ in self.guilds.values():
            read_to, before = self.answers.read_to.get(channel, 0), None
            pages = []
            while not pages or (len(pages[-1]) == _PAGE and int(pages[-1][-1]["id"]) > read_to):
                pages.append(await self.sim.messages(channel, limit=_PAGE, before=before))
                before = pages[-1][-1]["id"] if pages[-1] else None
            for message in (message for page in pages for message in page):
                if int(message["id"]) > read_to and message["author"].get("bot"):
                    asked = int(message["message_reference"]["message_id"])
                    self.answers.given.setdefault(asked, []).append(int(message["id"]))
            if pages[0]:
                self.answers.read_to[channel] = int(pages[0][0]["id"])

    async def all_answered(self, since: int) -> None:
        """Waits until every message from an ID on that mentions the bot has its answer."""
        wanted = set(self.answers.asked)
        while (await self.read_answers()).missing(since) & wanted:
            await asyncio.sleep(0.2)

    async def identifies(self) -> int:
        """IDENTIFYs accepted so far."""
        return sum(entry["t"] == "IDENTIFY" and entry["accepted"] for entry in await self.sim.log("session"))

    async def resumes(self) -> int:
        """RESUMEs accepted so far."""
        return sum(entry["t"] == "RESUME" and entry["accepted"] for entry in await self.sim.log("session"))

    async def refused_identifies(self) -> int:
        return sum(entry["t"] == "IDENTIFY" and not entry["accepted"] for entry in await self.sim.log("session"))

    async def pause_stream(self) -> None:
        """Returns once every message that was under way is sent."""
        self._flowing.clear()
        await self._still.wait()

    async def verify(self, *guild_ids: int) -> None:
        """Recounts chains from what is stored; the stream must be paused."""
        for guild_id in guild_ids:
            status, out, error = await self.fleet.command("chain", str(guild_id), "--verify", "--json")
            assert status == 0, out + error


async def _cancelled(task: "asyncio.Task[None]") -> None:
    if task.done():
        task.result()  # the stream or the watch failed
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
