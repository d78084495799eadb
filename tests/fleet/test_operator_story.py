"""An operator's week in some minutes: two hundred servers under load, a flag rolled out, a process lost, the others
drained and updated one by one, and a backup restored elsewhere. No message and no answer is lost by any of it."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import pytest

from discord_sim import DEMO_BOT_ID
from discord_sim.client import SimClient
from markov_shard.ranges import shard_of
from markov_shard.store.channels import ChannelRow, set_listening
from markov_shard.store.migrate import migrate, read_migrations
from markov_shard.store.pool import Database
from tests.fleet.processes import SHARD_COUNT, Fleet
from tests.fleet.prometheus import Prometheus
from tests.fleet.test_whole_path import Server

pytestmark = [pytest.mark.long, pytest.mark.timeout(590)]

GUILDS = 200
TOKEN = "the operator's token"
SHARDS = ("shard-1", "shard-2", "shard-3")
_LOSS, _UPDATE = 1, 2


class Page:
    """The status page, as a signed-in operator's browser uses it."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._csrf = ""

    async def __aenter__(self) -> "Page":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def status(self) -> dict[str, Any]:
        async with self._session.get(f"{self._url}/status.json") as response:
            document: dict[str, Any] = await response.json()
            return document

    async def sign_in(self) -> None:
        async with self._session.post(f"{self._url}/session", json={"token": TOKEN}) as response:
            self._csrf = (await response.json())["csrf"]

    async def act(self, name: str, **body: str) -> str:
        headers = {"X-CSRF-Token": self._csrf}
        async with self._session.post(f"{self._url}/act/{name}", json=body, headers=headers) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return str(answer["done"])

    async def until(self, wanted: Any, what: str, seconds: float = 60) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                while not wanted(status := await self.status()):
                    await asyncio.sleep(0.2)
                return status
        except TimeoutError:
            pytest.fail(f"{what}: {status['processes']} {status['happened'][:10]}")


class Load:
    """Members of all servers write, and mention the bot, while the block lasts."""

    def __init__(self, sim: SimClient, servers: Sequence["Community"], lines: Sequence[str]) -> None:
        self._sim = sim
        self._servers = servers
        self._lines = lines
        self._rng = random.Random(4)
        self._stop = asyncio.Event()
        self.written = 0
        self.asked: dict[str, tuple[Community, int]] = {}
        """Message ID to the server, and which of the story's `act`s it was asked in."""
        self.act = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What is under way at the end of the block is waited for."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            group.create_task(self._ask())
            try:
                yield
            finally:
                self._stop.set()

    async def _write(self) -> None:
        while not self._stop.is_set():
            await self._rng.choice(self._servers).chat(self._rng.sample(self._lines, 5))
            self.written += 5
            await asyncio.sleep(0.05)

    async def _ask(self) -> None:
        while not self._stop.is_set():
            server, act = self._rng.choice(self._servers), self.act
            mention = [{"author": server.member, "content": f"<@{DEMO_BOT_ID}> what do you say?"}]
            (made,) = await self._sim.send_messages(server.talk, mention, dispatch=True)
            self.asked[made["id"]] = server, act
            await asyncio.sleep(0.1)

    async def answers(self) -> Counter[str]:
        """How often each question was answered."""
        found: Counter[str] = Counter()
        for server in {server for server, _ in self.asked.values()}:
            for message in await self._sim.messages(server.talk, limit=100):
                if message["author"].get("bot"):
                    found[message["message_reference"]["message_id"]] += 1
        return found


class Community(Server):
    """A server with a second channel, in which the bot is talked to but does not learn."""

    def __init__(self, sim: SimClient, made: dict[str, Any]) -> None:
        super().__init__(sim, made)
        self.talk = made["channels"][1]["id"]


async def make_communities(sim: SimClient, database: Database) -> list[Community]:
    made = []
    for number in range(GUILDS):
        members = [{"username": f"owner-{number}", "admin": True}, {"username": f"member-{number}"}]
        stamp = 300_000_000_000 + number
        server = await sim.create_guild(
            f"server {number}", guild_id=stamp << 22, channels=[{"name": "general"}, {"name": "talk"}], members=members
        )
        made.append(Community(sim, server))
    async with database.connection() as connection:
        for one in made:
            await set_listening(connection, one.guild_id, [ChannelRow(int(one.channel))], listen=True)
    return made


async def stored(database: Database) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM messages"))


async def test_an_operators_story(
    fleet: Fleet,
    sim: SimClient,
    database: Database,
    migrated_url: str,
    database_url: str,
    prometheus: Prometheus,
    chat: Sequence[str],
    tmp_path: Path,
) -> None:
    fleet.environment["STATUS_TOKEN"] = TOKEN
    communities = await make_communities(sim, database)
    await fleet.start("coordinator-1", *SHARDS, "worker-1")
    await fleet.ready()
    load = Load(sim, communities, chat)
    async with Page(fleet.ports["coordinator-1"]) as page:
        status = await page.until(lambda s: len(s["processes"]) == 5, "all processes should be seen")
        prometheus.scrape(process["url"] for process in status["processes"])
        lost = {shard["shard_id"] for shard in status["shards"] if shard["owner"] == "shard-2"}
        async with load.running():
            await page.until(lambda s: s["history"][-1]["replies"] > 0 and s["history"][-1]["learned"] > 0, "rates")
            await _rolls_out_a_flag(fleet, page)
            load.act = _LOSS
            await _loses_a_process(fleet, page, prometheus)
            load.act = _UPDATE
            await _drains_and_updates_the_others(page, fleet, sim, migrated_url, tmp_path)
            status = await page.until(lambda s: len(s["processes"]) == 5, "all processes should be back")
            prometheus.scrape(process["url"] for process in status["processes"])
            await prometheus.wait_until_clear()
    await _every_question_was_answered_once(load, lost)
    async with asyncio.timeout(30):
        while await stored(database) != load.written:
            await asyncio.sleep(0.2)
    await _restores_a_backup_elsewhere(fleet, communities, database_url, tmp_path)
    assert set((await fleet.stop()).values()) == {0}
    long = [line for line in chat if len(line) > 60]
    for log in fleet.folder.glob("*.log"):
        text = log.read_text(encoding="utf-8")
        assert not [line for line in long if line in text], log


async def _every_question_was_answered_once(load: Load, lost: set[int]) -> None:
    """But for those asked of the killed process's servers, should nobody have taken them over within 30 s."""
    async with asyncio.timeout(60):
        while True:
            answers = await load.answers()
            unanswered = [asked for message, asked in load.asked.items() if message not in answers]
            if all(act == _LOSS and shard_of(server.guild_id, SHARD_COUNT) in lost for server, act in unanswered):
                break
            await asyncio.sleep(1)
    assert len(answers) > 100
    assert set(answers.values()) == {1}


async def _rolls_out_a_flag(fleet: Fleet, page: Page) -> None:
    assert (await fleet.command("flags", "set", "markov_store", "50"))[0] == 0
    shown = await page.until(lambda s: any(f["percentage"] == 50 for f in s["flags"]), "the flag on the page")
    assert {flag["flag"] for flag in shown["flags"] if flag["percentage"] == 50} == {"markov_store"}
    await page.sign_in()
    assert (
        await page.act("set-flag", flag="markov_store", percentage="100")
        == "markov_store is on for 100 % of all guilds"
    )


async def _loses_a_process(fleet: Fleet, page: Page, prometheus: Prometheus) -> None:
    await fleet.kill("shard-2")
    await page.until(lambda s: any("shard-2 is gone" in h["text"] for h in s["happened"]), "the loss on the page")
    await prometheus.wait_for("MarkovProcessDown")
    taken = await page.until(lambda s: all(x["state"] == "connected" for x in s["shards"]), "shards taken over")
    assert {shard["owner"] for shard in taken["shards"]} == {"shard-1", "shard-3"}
    await fleet.start("shard-2")
    back = await page.until(_settled({"shard-1", "shard-2", "shard-3"}), "shard-2 back")
    prometheus.scrape(process["url"] for process in back["processes"])
    await prometheus.wait_until_clear()


def _settled(owners: set[str]) -> Any:
    return lambda s: all(x["state"] == "connected" for x in s["shards"]) and {x["owner"] for x in s["shards"]} == owners


async def _drains_and_updates_the_others(page: Page, fleet: Fleet, sim: SimClient, url: str, folder: Path) -> None:
    """The new version's migration comes first; it only widens the schema, so the old processes go on."""
    newer = folder / "migrations"
    newer.mkdir()
    for step in read_migrations():
        for way, text in (("up", step.up), ("down", step.down)):
            (newer / f"{step.version:04}_{step.name}.{way}.sql").write_text(text, encoding="utf-8")
    (newer / "9000_later.up.sql").write_text("ALTER TABLE guilds ADD COLUMN later integer", encoding="utf-8")
    (newer / "9000_later.down.sql").write_text("ALTER TABLE guilds DROP COLUMN later", encoding="utf-8")
    assert await migrate(url, folder=newer) == ["9000_later"]
    sessions = len(await sim.dispatches("READY"))
    for name in SHARDS:
        others = set(SHARDS) - {name}
        assert await page.act("drain", process=name) == f"{name} drains"
        await page.until(_settled(others), f"{name} drained")
        process = fleet.processes.pop(name)
        process.terminate()
        assert await process.wait() == 0
        await fleet.start(name)
        await page.until(_settled(set(SHARDS)), f"{name} back")
    assert len(await sim.dispatches("READY")) == sessions, "an update must not identify"


async def _restores_a_backup_elsewhere(
    fleet: Fleet, communities: Sequence[Community], database_url: str, folder: Path
) -> None:
    file = folder / "fleet.backup"
    status, _, error = await fleet.command("backup", str(file))
    assert status == 0, error
    here = fleet.environment
    parts = urlsplit(here["REDIS_URL"])
    empty = parts._replace(query="db=8") if parts.scheme == "unix" else parts._replace(path="/8")
    elsewhere = Fleet(
        folder / "elsewhere",
        {**here, "DATABASE_URL": database_url, "REDIS_URL": urlunsplit(empty), "DATA_DIR": str(folder / "elsewhere")},
    )
    elsewhere.folder.mkdir()
    status, _, error = await elsewhere.command("restore", str(file))
    assert status == 0, error
    for server in communities[:: GUILDS // 5]:
        status, out, error = await elsewhere.command("chain", str(server.guild_id), "--verify", "--json")
        assert status == 0, error
        assert f'"messages": {len(server.live)}' in out
