"""The whole path with separate processes: chat, learn, train from a file, answer, unlearn, survive a kill."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import pytest

from discord_sim.client import SimClient
from markov_shard.chain import ReferenceChain
from markov_shard.ranges import shard_of
from markov_shard.store.pool import Database
from tests.fleet.processes import SHARD_COUNT, Fleet

pytestmark = pytest.mark.timeout(150)

STATE_SIZE = 2


class Server:
    """A guild of the stand-in, and what its members wrote in the channel that the bot listens to."""

    def __init__(self, sim: SimClient, made: dict[str, Any]) -> None:
        self.sim = sim
        self.guild_id = int(made["id"])
        self.channel = made["channels"][0]["id"]
        members = [member for member in made["members"] if not member["bot"]]
        self.owner = next(member["id"] for member in members if member["admin"])
        self.member = next(member["id"] for member in members if not member["admin"])
        self.live: dict[int, str] = {}

    async def listen(self) -> None:
        while not await self.sim.commands(str(self.guild_id)):
            await asyncio.sleep(0.05)  # the leader registers them when it has begun to lead
        done = await self.sim.run_command(self.channel, self.owner, "listen add", {"channel": self.channel})
        assert "I learn from" in done["response"]["content"]

    async def chat(self, lines: Sequence[str]) -> None:
        """Members write; each message reaches the bot through the gateway."""
        messages = [{"author": self.member, "content": line} for line in lines]
        for sent in await self.sim.send_messages(self.channel, messages, dispatch=True):
            self.live[int(sent["id"])] = sent["content"]

    def transitions(self) -> set[tuple[tuple[str, ...], str | None]]:
        chain = ReferenceChain(state_size=STATE_SIZE)
        for text in self.live.values():
            chain.learn(text)
        return {(state, successor) for state, successor, _ in chain.transitions()}

    async def ask(self, count: int) -> list[str]:
        """Members ask for answers by `!mark`, which is not learned; returns their messages' IDs."""
        wanted = [{"author": self.member, "content": f"!mark {number}"} for number in range(count)]
        return [sent["id"] for sent in await self.sim.send_messages(self.channel, wanted, dispatch=True)]

    async def answers(self) -> dict[str, list[str]]:
        """The bot's answers by the message that they answer, in the whole channel."""
        found: dict[str, list[str]] = {}
        before: str | None = None
        while page := await self.sim.messages(self.channel, limit=100, before=before):
            before = page[-1]["id"]
            for message in page:
                if message["author"].get("bot") and (answered := message.get("message_reference")):
                    found.setdefault(answered["message_id"], []).append(message["id"])
        return found

    async def answered(self, asked: Collection[str]) -> dict[str, list[str]]:
        """The same, once all of these are answered."""
        while not set(asked) <= (found := await self.answers()).keys():
            await asyncio.sleep(0.05)
        return found

    async def mark(self) -> str:
        done = await self.sim.run_command(self.channel, self.member, "mark", {})
        text: str = done["response"]["content"]
        return text


def steps(text: str) -> list[tuple[tuple[str, ...], str | None]]:
    """The transitions of an answer."""
    tokens: list[str | None] = [*text.split(), None]
    return [(tuple(tokens[max(0, n - STATE_SIZE) : n]), token) for n, token in enumerate(tokens)]  # type: ignore[misc]


async def make_servers(sim: SimClient, shard_count: int = SHARD_COUNT) -> list[Server]:
    """One guild for each shard."""
    servers = []
    for shard_id in range(shard_count):
        stamp = 300_000_000_000 + shard_id
        made = await sim.create_guild(
            f"server of shard {shard_id}",
            guild_id=((stamp - stamp % shard_count + shard_id) << 22),
            channels=[{"name": "general"}],
            members=[{"username": f"owner-{shard_id}", "admin": True}, {"username": f"member-{shard_id}"}],
        )
        server = Server(sim, made)
        assert shard_of(server.guild_id, shard_count) == shard_id
        servers.append(server)
    return servers


async def stored(database: Database, guild_id: int) -> Counter[int]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT message_id FROM messages WHERE guild_id = $1", guild_id)
    return Counter(row["message_id"] for row in rows)


async def until_stored(database: Database, server: Server) -> None:
    """Waits until exactly the live messages are stored, each once."""
    expected = Counter(dict.fromkeys(server.live, 1))
    while (found := await stored(database, server.guild_id)) != expected:
        assert set(found.values()) <= {1}
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def nothing_can_be_stored(database: Database, servers: Sequence[Server]) -> AsyncIterator[None]:
    """Holds the rows that learning needs, so that no position moves on and Discord replays whatever comes."""
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            ids = [server.guild_id for server in servers]
            await connection.fetch("SELECT FROM guilds WHERE guild_id = ANY($1::bigint[]) FOR UPDATE", ids)
            yield
        finally:
            await transaction.rollback()


async def verify(fleet: Fleet, server: Server) -> dict[str, Any]:
    status, out, error = await fleet.command("chain", str(server.guild_id), "--verify", "--json")
    assert status == 0, error
    figures: dict[str, Any] = json.loads(out)
    assert figures["verified"] is True
    assert figures["messages"] == len(server.live)
    return figures


async def test_a_server_chats_and_the_fleet_learns_trains_answers_and_unlearns(
    fleet: Fleet, sim: SimClient, database: Database, chat: Sequence[str]
) -> None:
    servers = await make_servers(sim)
    await fleet.start()
    status = await fleet.ready()
    assert len({shard["owner"] for shard in status["shards"]}) == 2

    # Members chat.
    for number, server in enumerate(servers):
        await server.listen()
        await server.chat(chat[100 * number : 100 * number + 100])
    for server in servers:
        await until_stored(database, server)

    # One guild is trained from a file, and keeps what it knew.
    trained = servers[1]
    extra = chat[1000:1500]
    file = json.dumps([{"message": line, "id": str(5000 + n)} for n, line in enumerate(extra)]).encode()
    done = await sim.run_command(
        trained.channel, trained.owner, "train", {"clean": False, "json": 0}, files=[("chat.json", file)]
    )
    told = done["response"]
    assert "Job " in told["content"] + str(told["embeds"])  # the announcement, or already the progress in its place
    trained.live |= {5000 + n: line for n, line in enumerate(extra)}
    await until_stored(database, trained)
    while (figures := await verify(fleet, trained))["version"] == 0:
        await asyncio.sleep(0.1)
    assert figures["image_bytes"] > 0

    # Every server is answered from its own messages only.
    for server in servers:
        known = server.transitions()
        answers = {await server.mark() for _ in range(20)}
        assert len(answers) > 5
        for answer in answers:
            assert set(steps(answer)) <= known

    # A deleted message is unlearned, in chain and storage.
    for server in servers:
        message_id, text = next(iter(server.live.items()))
        await sim.delete_message(server.channel, str(message_id))
        del server.live[message_id]
        await until_stored(database, server)
        await verify(fleet, server)
        gone = set(steps(text)) - server.transitions()
        assert gone
        answers = {await server.mark() for _ in range(20)}
        assert not gone & {step for answer in answers for step in steps(answer)}

    # Each process served only the guilds of its range.
    owners = {shard["shard_id"]: shard["owner"] for shard in (await fleet.ready())["shards"]}
    for name in ("shard-1", "shard-2"):
        served = {int(line["guild"]) for line in fleet.log(name) if "guild" in line}
        mine = {s.guild_id for s in servers if owners[shard_of(s.guild_id, SHARD_COUNT)] == name}
        assert served == mine
    assert set((await fleet.stop()).values()) == {0}


async def test_killing_the_whole_fleet_loses_nothing_and_answers_nothing_twice(
    fleet: Fleet, sim: SimClient, database: Database, chat: Sequence[str]
) -> None:
    servers = await make_servers(sim)
    await fleet.start()
    await fleet.ready()
    for server in servers:
        await server.listen()
        await server.chat(chat[:50])
    for server in servers:
        await until_stored(database, server)

    # Killed in the middle of the chat: some of it stored, some in memory, some not received; and of what was asked,
    # some is answered, some not.
    async with nothing_can_be_stored(database, servers):
        for server in servers:
            await server.chat(chat[50:60])
        asked = [await server.ask(8) for server in servers]
        first = [await server.answered(ids) for server, ids in zip(servers, asked, strict=True)]
        chatting = asyncio.gather(*(server.chat(chat[60:300]) for server in servers))
        late = [await server.ask(3) for server in servers]
        await sim.wait_for_dispatches("MESSAGE_CREATE", 60 * len(servers) + 20)
        await fleet.kill()
    await chatting
    for server in servers:
        await server.chat(chat[300:350])
    before = [await stored(database, server.guild_id) for server in servers]
    assert any(len(found) < 350 for found in before)

    await fleet.start()
    await fleet.ready()
    for server in servers:
        await until_stored(database, server)
        await verify(fleet, server)
    identified = [entry for entry in await sim.log("session") if entry["t"] == "IDENTIFY"]
    assert len(identified) == SHARD_COUNT  # the second start resumed
    again = 0
    for server, ids, answers, more in zip(servers, asked, first, late, strict=True):
        newest = (await server.ask(1))[0]
        found = await server.answered([newest])
        assert {key: found[key] for key in ids} == {key: answers[key] for key in ids}, "answered once, and not again"
        assert all(len(found.get(message_id, [])) <= 1 for message_id in [*ids, *more, newest])
        sent = Counter(entry["body"]["nonce"] for entry in await sim.requests("POST", f"/{server.channel}/messages$"))
        again += sum(sent[message_id] > 1 for message_id in ids)
    print(f"{again} answers were sent a second time, and Discord made no second message")  # noqa: T201 - for the reader
