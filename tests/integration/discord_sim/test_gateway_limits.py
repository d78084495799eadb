"""The gateway's limits, as discord.py's own connection meets them. The stand-in's time moves only when told to."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest

from discord_sim.client import SimClient
from discord_sim.clock import Clock
from discord_sim.gateway.server import GatewayLimits
from discord_sim.places import NewMember
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.conftest import Place
from tests.integration.discord_sim.discord_py_bot import PATIENCE, pointed_at
from tests.integration.discord_sim.foreign_socket import Open, Socket, library
from tests.standin import no_limits, stand_in

NOW = 1_795_000_000.0
GUILDS, MESSAGES = 1 << 0, 1 << 9


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    """A stand-in whose clock stands still, with one IDENTIFY bucket."""
    clock = Clock(lambda: NOW, lambda: NOW)
    async with stand_in(limits=GatewayLimits(max_concurrency=1), rest_limits=no_limits(), clock=clock) as made:
        yield made


@pytest.fixture
async def open_socket(sim: DiscordSim) -> AsyncIterator[Open]:
    async with library(sim) as connect:
        yield connect


async def _write(client: SimClient, place: Place, *texts: str) -> None:
    await client.send_messages(place.channel, [{"author": place.member, "content": text} for text in texts])


def _said(socket: Socket) -> list[str]:
    return [item["d"]["content"] for item in socket.heard if item["t"] == "MESSAGE_CREATE"]


# --- IDENTIFY ----------------------------------------------------------------------------------------------------


async def test_one_identify_in_five_seconds_for_each_bucket(open_socket: Open, client: SimClient) -> None:
    await (await open_socket(0, 4)).event("READY")
    assert (await (await open_socket(1, 4)).ends())[1] == "IDENTIFY", "opcode 9 with d false"
    await client.advance(4.9)
    assert (await (await open_socket(1, 4)).ends())[1] == "IDENTIFY"
    await client.advance(0.1)
    await (await open_socket(1, 4)).event("READY")
    await client.limits(max_concurrency=2)
    await client.advance(5)
    for shard_id in (0, 3):  # of different buckets, so at the same time
        await (await open_socket(shard_id, 4)).event("READY")
    assert (await (await open_socket(2, 4)).ends())[1] == "IDENTIFY", "shard 2 shares the bucket of shard 0"


async def test_the_sessions_of_a_day(open_socket: Open, client: SimClient, sim: DiscordSim, place: Place) -> None:
    with pointed_at(sim):
        async with discord.AutoShardedClient(intents=discord.Intents.none()) as bot:
            application = next(iter(sim.world.applications.values()))
            await bot.login(application.token)
            before = await bot.fetch_session_start_limits()
            assert (before.total, before.remaining, before.max_concurrency) == (1000, 1000, 1)
            await client.edit_application(place.bot, sessions_remaining=2)
            first = await open_socket()
            await first.event("READY")
            limits = await bot.fetch_session_start_limits()
            assert limits.remaining == 1
            assert limits.reset_after == 86_400_000
            await client.advance(5)
            second = await open_socket()
            await second.event("READY")
            await client.advance(5)
            token = application.token
            assert await (await open_socket()).ends() == (4004, "fatal")
            assert await first.ends() == (4004, "fatal"), "every session ends"
            assert await second.ends() == (4004, "fatal")
            with pytest.raises(discord.HTTPException) as reset:  # and so does the token
                await bot.application_info()
            assert reset.value.status == 401
            await client.advance(86_400)
            await client.edit_application(place.bot, token=token)
            assert (await bot.fetch_session_start_limits()).remaining == 1000


async def test_resuming_costs_no_identify(open_socket: Open, client: SimClient, place: Place) -> None:
    await client.edit_application(place.bot, sessions_remaining=1)
    socket = await open_socket()
    await socket.event("READY")
    for _ in range(3):
        await socket.cut()
        socket = await open_socket(resume=socket)
        await socket.event("RESUMED")
    assert [s["resumes"] for s in await client.sessions()] == [3]


# --- RESUME ------------------------------------------------------------------------------------------------------


async def test_a_resume_replays_in_order_and_then_says_so(open_socket: Open, client: SimClient, place: Place) -> None:
    socket = await open_socket()
    await socket.event("GUILD_CREATE")
    await socket.cut()
    await _write(client, place, "1", "2", "3")
    again = await open_socket(resume=socket)
    await again.event("RESUMED")
    assert _said(again) == ["1", "2", "3"]
    assert again.events == ["MESSAGE_CREATE"] * 3 + ["RESUMED"], "neither READY nor GUILD_CREATE"
    numbers = [item["s"] for item in again.heard if item["t"] == "MESSAGE_CREATE"]
    assert numbers == [socket.sequence + n for n in (1, 2, 3)]
    await _write(client, place, "4")
    assert (await again.event("MESSAGE_CREATE"))["content"] == "4"


async def test_a_stalled_connection_only_acknowledges(open_socket: Open, client: SimClient, place: Place) -> None:
    socket = await open_socket()
    await socket.event("GUILD_CREATE")
    assert await client.disconnect(0, how="stall") == 1
    await _write(client, place, "1", "2")
    await socket.send_as_json({"op": socket.HEARTBEAT, "d": socket.sequence})
    async with asyncio.timeout(PATIENCE):
        while socket.heard[-1]["op"] != socket.HEARTBEAT_ACK:
            await socket.poll_event()
    assert _said(socket) == []
    again = await open_socket(resume=socket)
    await again.event("RESUMED")
    assert _said(again) == ["1", "2"]
    await _write(client, place, "3")
    assert (await again.event("MESSAGE_CREATE"))["content"] == "3"


async def test_the_replay_buffer_is_bounded(open_socket: Open, client: SimClient, place: Place) -> None:
    await client.limits(replay_events=5)
    socket = await open_socket()
    await socket.event("GUILD_CREATE")
    await socket.cut()
    await _write(client, place, *"12345")
    again = await open_socket(resume=socket)
    await again.event("RESUMED")
    assert _said(again) == list("12345")
    await again.cut()
    await _write(client, place, *"678901")
    assert (await (await open_socket(resume=again)).ends())[1] == "IDENTIFY", "one more than is kept"


async def test_a_session_expires_three_minutes_after_its_connection(open_socket: Open, client: SimClient) -> None:
    socket = await open_socket()
    await socket.event("READY")
    await client.advance(3600)  # a connected session does not age
    await socket.cut()
    await client.wait_for_sessions(0)
    await client.advance(179)
    again = await open_socket(resume=socket)
    await again.event("RESUMED")
    await again.cut()
    await client.wait_for_sessions(0)
    await client.advance(181)
    assert (await (await open_socket(resume=again)).ends())[1] == "IDENTIFY"


async def test_events_of_a_connected_session_are_forgotten_after_a_while(
    open_socket: Open, client: SimClient, place: Place
) -> None:
    socket = await open_socket()
    await socket.event("GUILD_CREATE")
    early = socket.sequence
    await _write(client, place, "old")
    await client.advance(200)
    await _write(client, place, "new")
    while _said(socket) != ["old", "new"]:
        await socket.poll_event()
    await socket.cut()
    assert (await (await open_socket(resume=socket, sequence=early)).ends())[1] == "IDENTIFY"


async def test_resume_can_be_refused_and_its_address_be_dead(
    open_socket: Open, client: SimClient, place: Place
) -> None:
    await client.trouble_gateway(refuse_resume=True, resume_url="ws://127.0.0.1:9/")
    socket = await open_socket()
    ready = await socket.event("READY")
    assert (ready["resume_gateway_url"], str(socket.gateway)) == ("ws://127.0.0.1:9/", "ws://127.0.0.1:9/")
    await socket.cut()
    assert (await (await open_socket(resume=socket)).ends())[1] == "IDENTIFY"
    await client.trouble_gateway(refuse=True)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await open_socket()
    assert refused.value.status == 503


async def test_a_session_may_be_resumed_elsewhere_and_several_may_serve_one_shard(
    open_socket: Open, client: SimClient, place: Place
) -> None:
    first = await open_socket()
    await first.event("GUILD_CREATE")
    await client.advance(5)
    other = await open_socket()
    await other.event("GUILD_CREATE")
    taken = await open_socket(resume=first)
    await taken.event("RESUMED")
    assert await first.ends() == (4000, "RESUME")
    await _write(client, place, "to all")
    for socket in (taken, other):
        assert (await socket.event("MESSAGE_CREATE"))["content"] == "to all"


# --- intents -----------------------------------------------------------------------------------------------------


async def test_events_need_their_intent(open_socket: Open, client: SimClient, place: Place) -> None:
    deaf = await open_socket(intents=GUILDS)
    await deaf.event("GUILD_CREATE")
    await _write(client, place, "nobody listens")
    await client.create_channel(place.guild, "heard")
    await deaf.event("CHANNEL_CREATE")
    assert deaf.events == ["READY", "GUILD_CREATE", "CHANNEL_CREATE"]


async def test_content_is_empty_without_its_intent(open_socket: Open, client: SimClient, place: Place) -> None:
    socket = await open_socket(intents=GUILDS | MESSAGES | 1 << 12)
    await socket.event("GUILD_CREATE")
    await client.send_message(place.channel, place.member, "secret", files=[("a.txt", b"a")])
    hidden = await socket.event("MESSAGE_CREATE")
    assert (hidden["content"], hidden["attachments"], hidden["embeds"], hidden["components"]) == ("", [], [], [])
    await _write(client, place, f"to <@{place.bot}>")
    assert (await socket.event("MESSAGE_CREATE"))["content"] == f"to <@{place.bot}>"
    direct = await client.direct_channel(place.member)
    await client.send_message(direct["id"], place.member, "between us")
    assert (await socket.event("MESSAGE_CREATE"))["content"] == "between us"


async def test_the_presence_intent_decides_which_members_a_guild_shows(
    open_socket: Open, client: SimClient, place: Place
) -> None:
    for bits, count in ((GUILDS, 1), (GUILDS | 1 << 8, 3)):
        socket = await open_socket(intents=bits)
        assert len((await socket.event("GUILD_CREATE"))["members"]) == count
        await client.advance(5)


async def test_the_whole_member_list_needs_the_members_intent(
    open_socket: Open, client: SimClient, place: Place
) -> None:
    socket = await open_socket(intents=GUILDS)
    await socket.event("GUILD_CREATE")
    await socket.request_chunks(int(place.guild), query="mi", limit=5, presences=True, nonce="n")
    chunk = await socket.event("GUILD_MEMBERS_CHUNK")
    assert [member["user"]["username"] for member in chunk["members"]] == ["mira"]
    assert (chunk["nonce"], "presences" in chunk) == ("n", False)
    await socket.request_chunks(int(place.guild), user_ids=[int(place.owner), 5], limit=0)
    chunk = await socket.event("GUILD_MEMBERS_CHUNK")
    assert ([m["user"]["username"] for m in chunk["members"]], chunk["not_found"]) == (["olga"], ["5"])
    await socket.request_chunks(int(place.guild), query="", limit=0)
    assert await socket.ends() == (4014, "fatal")


async def test_members_come_in_chunks_of_a_thousand(open_socket: Open, sim: DiscordSim, place: Place) -> None:
    guild = sim.world.guilds[int(place.guild)]
    for number in range(1200):
        sim.places.add_member(guild, NewMember(f"crowd-{number}"), dispatch=False)
    socket = await open_socket(intents=GUILDS | 1 << 1)
    await socket.event("GUILD_CREATE")
    await socket.request_chunks(int(place.guild), query="", limit=0)
    chunks = [await socket.event("GUILD_MEMBERS_CHUNK") for _ in range(2)]
    assert [(chunk["chunk_index"], chunk["chunk_count"], len(chunk["members"])) for chunk in chunks] == [
        (0, 2, 1000),
        (1, 2, 203),
    ]
    await socket.request_chunks(int(place.guild), query="crowd", limit=0)
    assert len((await socket.event("GUILD_MEMBERS_CHUNK"))["members"]) == 100


# --- the rest ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [True, False])
async def test_compressed_and_plain(compress: bool, open_socket: Open) -> None:
    socket = await open_socket(compress=compress)
    ready: Any = await socket.event("READY")
    assert (ready["v"], ready["shard"], ready["session_id"]) == (10, [0, 1], socket.session_id)


async def test_zlib_stream(open_socket: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library takes zstd where it finds it, so zlib is asked for by hand, in the library's own way of reading."""

    class Zlib:
        COMPRESSION_TYPE = "zlib-stream"

        def __init__(self) -> None:
            self._stream = zlib.decompressobj()

        def decompress(self, data: bytes, /) -> str:
            assert data.endswith(b"\x00\x00\xff\xff")
            return self._stream.decompress(data).decode()

    monkeypatch.setattr("discord.utils._ActiveDecompressionContext", Zlib)
    socket = await open_socket()
    assert (await socket.event("READY"))["v"] == 10


async def test_latency_is_added_to_everything_that_is_sent(open_socket: Open, client: SimClient, place: Place) -> None:
    socket = await open_socket()
    await socket.event("GUILD_CREATE")
    await client.trouble_gateway(latency=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await _write(client, place, "late")
    await socket.event("MESSAGE_CREATE")
    assert loop.time() - began >= 0.05
