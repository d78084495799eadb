"""discord.js 14, which somebody else wrote, against the stand-in: only its API's address is changed."""

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from discord_sim import DEMO_BOT_ID, DEMO_TOKEN
from discord_sim.chat import Draft
from discord_sim.client import SimClient
from discord_sim.gateway.server import GatewayLimits
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.conftest import GUILDS, Place, two_guilds
from tests.standin import stand_in

FOLDER = Path(__file__).with_name("discord_js")
PATIENCE = 30.0

Json = dict[str, Any]

pytestmark = [
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        shutil.which("node") is None or not (FOLDER / "node_modules").is_dir(), reason="`make test-long` installs it"
    ),
]


class Bot:
    """The process: what it told of, and what it can be asked to do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count()
        self._news = asyncio.Condition()
        self.heard: list[Json] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.heard.append(json.loads(line))
                self._news.notify_all()

    async def event(self, name: str, wanted: Callable[[Json], bool] = lambda _: True) -> Json:
        """The newest event of that name, once there is one as wanted."""
        async with asyncio.timeout(PATIENCE), self._news:
            while True:
                found = [item for item in self.heard if item["event"] == name and wanted(item)]
                if found:
                    return found[-1]
                await self._news.wait()

    async def do(self, what: str, **more: Any) -> Any:
        """Its answer. Fails where the library raised an error."""
        done = await self.tries(what, **more)
        assert "failed" not in done, done
        return done.get("result")

    async def tries(self, what: str, **more: Any) -> Json:
        number = next(self._numbers)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": number, "do": what, **more}).encode() + b"\n")
        return await self.event("done", lambda item: item["number"] == number)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sim() -> AsyncIterator[DiscordSim]:
    async with stand_in(limits=GatewayLimits(heartbeat_interval=1.0)) as made:
        made.world.applications[DEMO_BOT_ID].shards = 2
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(sim: DiscordSim) -> AsyncIterator[SimClient]:
    async with SimClient(sim.public_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(client: SimClient) -> Place:
    return (await two_guilds(client))[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(sim: DiscordSim, place: Place) -> AsyncIterator[Bot]:
    """Started, ready, its commands registered."""
    pipe = asyncio.subprocess.PIPE
    arguments = ("node", str(FOLDER / "bot.cjs"), f"{sim.public_url}/api", DEMO_TOKEN)
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    made = Bot(process)
    reading = asyncio.create_task(made.read())
    try:
        await made.event("ready")
        assert len(await made.do("register")) == 5
        yield made
        assert process.stdin is not None
        process.stdin.write(b'{"do": "quit"}\n')
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading
    assert [item for item in made.heard if item["event"] == "error"] == []


async def test_connects_sharded(bot: Bot, place: Place) -> None:
    ready = await bot.event("ready")
    assert sorted(ready["shards"]) == [0, 1]
    assert sorted(ready["guilds"]) == [[str(GUILDS[0]), 0], [str(GUILDS[1]), 1]]
    assert set(await bot.do("members", guild=place.guild)) == {"olga", "mira", "Markov"}


async def test_receives_and_sends_messages_with_attachments(bot: Bot, client: SimClient, place: Place) -> None:
    sent = await client.send_message(place.channel, place.member, "hello", files=[("a.txt", b"text")])
    heard = await bot.event("message", lambda item: item["id"] == sent["id"])
    assert (heard["content"], heard["author"], len(heard["files"])) == ("hello", "mira", 1)
    made = await bot.do("send", channel=place.channel, content="with a file", file="text", title="Title")
    seen = await client.message(place.channel, made["id"])
    assert (seen["attachments"][0]["filename"], seen["attachments"][0]["size"]) == ("a.txt", 4)
    assert seen["embeds"][0]["title"] == "Title"
    answer = await bot.do("reply", channel=place.channel, id=sent["id"], content="a reply")
    assert answer["reply"] == sent["id"]
    first, second = [await bot.do("send", channel=place.channel, content="x", nonce="n-1") for _ in range(2)]
    assert first["id"] == second["id"]
    refused = await bot.tries("send", channel=place.channel, content="x" * 2001)
    assert (refused["failed"]["code"], refused["failed"]["status"]) == (50035, 400)


async def test_edits_deletes_and_reactions(bot: Bot, client: SimClient, place: Place) -> None:
    made = await bot.do("send", channel=place.channel, content="before")
    assert (await bot.do("edit", channel=place.channel, id=made["id"], content="after"))["content"] == "after"
    await bot.event("edit", lambda item: item["id"] == made["id"])
    assert await bot.do("react", channel=place.channel, id=made["id"]) == 1
    await client.react(place.channel, made["id"], place.member, "🙂")
    await bot.event("reaction", lambda item: item["user"] == place.member)
    await bot.do("delete", channel=place.channel, id=made["id"])
    await bot.event("delete", lambda item: item["id"] == made["id"])
    many = [(await bot.do("send", channel=place.channel, content=str(n)))["id"] for n in range(3)]
    assert set(await bot.do("bulk", channel=place.channel, ids=many)) == set(many)
    assert set((await bot.event("bulk delete"))["ids"]) == set(many)


async def test_pages_a_history(bot: Bot, client: SimClient, place: Place) -> None:
    made = await client.create_channel(place.guild, "archive")
    await client.generate_history(made["id"], 350)
    found = await bot.do("history", channel=made["id"])
    assert len(set(found)) == 350
    assert found == sorted(found, key=int, reverse=True)


async def test_threads(bot: Bot, client: SimClient, place: Place) -> None:
    made = await bot.do("send", channel=place.channel, content="a subject")
    thread = await bot.do("thread", channel=place.channel, id=made["id"])
    assert thread == {"id": made["id"], "archived": [made["id"]], "secret": 12}
    assert (await bot.event("thread", lambda item: item["name"] == "talk"))["parent"] == place.channel


async def test_commands_deferral_and_follow_ups(bot: Bot, client: SimClient, place: Place) -> None:
    done = await client.run_command(place.channel, place.member, "say", {"text": "hey", "times": 2})
    assert done["response"]["content"] == "hey hey"
    done = await client.run_command(place.channel, place.member, "think", {"file": 0}, files=[("a.bin", b"x" * 700)])
    done = await client.wait_for_interaction(done["id"], lambda now: len(now["followups"]) == 1)
    assert (done["response"]["content"], done["ephemeral"]) == ("read 700 bytes", True)
    assert done["followups"][0]["attachments"][0]["size"] == 700
    found = await client.suggestions(place.channel, place.member, "fruit", "name", {"name": "ap"})
    assert [item["value"] for item in found] == ["apple", "apricot"]
    said = await client.send_message(place.channel, place.owner, "wise words")
    done = await client.run_on_target(place.channel, place.member, "Quote", said["id"])
    assert (done["response"]["content"], done["ephemeral"]) == ("> wise words", True)


async def test_menus_buttons_and_modals(bot: Bot, client: SimClient, place: Place) -> None:
    offered = (await client.run_command(place.channel, place.member, "choose"))["response"]
    assert (await bot.event("offered"))["id"] == offered["id"]
    await client.choose(offered["id"], place.member, "word", ["red", "blue"])
    assert (await client.message(place.channel, offered["id"]))["content"] == "chose red and blue"
    done = await client.choose(offered["id"], place.member, "who", [place.owner])
    assert (done["response"]["content"], done["ephemeral"]) == ("chose olga", True)
    await client.press(offered["id"], place.member, "more")
    rows = (await client.message(place.channel, offered["id"]))["components"]
    assert "Much more" in [part.get("label") for row in rows for part in row["components"]]
    shown = await client.press(offered["id"], place.member, "ask")
    done = await client.submit_modal(shown["id"], place.member, {"name": "mira"})
    assert done["response"]["content"] == "hello mira"


async def test_a_429_is_obeyed(bot: Bot, client: SimClient, place: Place) -> None:
    for scope in ("user", "global", "shared"):
        await client.clear_log()
        await client.fail_requests("/messages$", 429, retry_after=0.1, scope=scope)
        await bot.do("send", channel=place.channel, content=scope)
        first, second = await client.requests("POST", f"/channels/{place.channel}/messages$")
        assert [first["status"], second["status"]] == [429, 200]
        assert second["at"] - first["at"] >= 0.1


async def test_a_bucket_is_waited_for(bot: Bot, client: SimClient, place: Place) -> None:
    """Six messages where five are let through in five seconds: the library waits, and no 429 is needed."""
    made = await client.create_channel(place.guild, "busy")
    await client.clear_log()
    for number in range(6):
        await bot.do("send", channel=made["id"], content=str(number))
    asked = await client.requests("POST", f"/channels/{made['id']}/messages$")
    assert [entry["status"] for entry in asked] == [200] * 6
    assert asked[5]["at"] - asked[0]["at"] >= 4.9
    await bot.event("rate limited", lambda item: not item["global"])


@pytest.mark.parametrize("how", ["cut", "close", "reconnect"])
async def test_resumes_and_hears_what_it_missed(
    how: str, bot: Bot, sim: DiscordSim, client: SimClient, place: Place
) -> None:
    await client.clear_log()
    bot.heard.clear()
    channel, member = sim.world.channels[int(place.channel)], sim.world.users[int(place.member)]
    assert sim.faults.add({"disconnect": {"shard_id": 0, "how": how}}) == 1
    for text in ("1", "2"):
        sim.chat.post(channel, member, Draft(text))
    await bot.event("message", lambda item: item["content"] == "2")
    assert (await bot.event("resumed"))["shard"] == 0
    assert [item["content"] for item in bot.heard if item.get("author") == "mira"] == ["1", "2"]
    opened = [(entry["t"], entry["accepted"]) for entry in await client.log("session")]
    assert opened == [("RESUME", True)]


async def test_a_gateway_that_acknowledges_nothing_is_left_and_resumed(
    bot: Bot, client: SimClient, place: Place
) -> None:
    await client.clear_log()
    bot.heard.clear()
    await client.trouble_gateway(silent=True)
    await bot.event("reconnecting")
    await client.trouble_gateway()
    for shard in (0, 1):
        await bot.event("resumed", lambda item, shard=shard: item["shard"] == shard)
    assert all(entry["t"] == "RESUME" for entry in await client.log("session"))


async def test_an_invalid_session_is_begun_anew(bot: Bot, client: SimClient, place: Place) -> None:
    await client.clear_log()
    bot.heard.clear()
    await client.advance(5)
    assert await client.disconnect(0, how="invalid", resumable=False) == 1
    await bot.event("shard ready", lambda item: item["shard"] == 0)
    opened = [(entry["t"], entry["accepted"]) for entry in await client.log("session")]
    assert opened[-1] == ("IDENTIFY", True)
    sent = await client.send_message(place.channel, place.member, "and on")
    await bot.event("message", lambda item: item["id"] == sent["id"])


async def test_guilds_fail_come_back_and_go(bot: Bot, client: SimClient, place: Place) -> None:
    other = str(GUILDS[1])
    await client.outage(other)
    await bot.event("unavailable", lambda item: item["id"] == other)
    await client.outage(other, unavailable=False)
    await bot.event("available", lambda item: item["id"] == other)
    await client.remove_member(other, place.bot)
    await bot.event("removed", lambda item: item["id"] == other)
    await client.invite_bot(other, place.bot)
    await bot.event("joined", lambda item: item["id"] == other)
