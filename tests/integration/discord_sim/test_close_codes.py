"""Each close code of the gateway, as discord.py's own connection meets it when it is made to err."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from discord_sim.client import SimClient
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.conftest import Place
from tests.integration.discord_sim.foreign_socket import Open, library


@pytest.fixture
async def open_socket(sim: DiscordSim) -> AsyncIterator[Open]:
    async with library(sim) as connect:
        yield connect


async def test_4000_an_unknown_error(open_socket: Open, client: SimClient) -> None:
    socket = await open_socket()
    await socket.event("READY")
    await client.disconnect(0, how="close", code=4000)
    assert await socket.ends() == (4000, "RESUME")


async def test_4001_an_unknown_opcode(open_socket: Open) -> None:
    socket = await open_socket()
    await socket.send_as_json({"op": 99, "d": None})
    assert await socket.ends() == (4001, "RESUME")


@pytest.mark.parametrize("sent", ["{", "[1]", '"text"', '{"op": 6, "d": 5}', '{"op": 1, "d": "' + "x" * 4096 + '"}'])
async def test_4002_what_cannot_be_read(sent: str, open_socket: Open) -> None:
    socket = await open_socket()
    await socket.socket.send_str(sent)
    assert await socket.ends() == (4002, "RESUME")


async def test_4003_before_identifying(open_socket: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hold_back(self: Any) -> None:
        await self.send_as_json({"op": self.PRESENCE, "d": {"status": "online"}})

    monkeypatch.setattr("discord.gateway.DiscordWebSocket.identify", hold_back)
    assert await (await open_socket()).ends() == (4003, "RESUME")


async def test_4004_a_wrong_token(open_socket: Open) -> None:
    assert await (await open_socket(token="MTI.no.token")).ends() == (4004, "fatal")


async def test_4005_identifying_twice(open_socket: Open) -> None:
    socket = await open_socket()
    await socket.event("READY")
    await socket.identify()
    assert await socket.ends() == (4005, "RESUME")


async def test_4007_a_sequence_from_the_future(open_socket: Open) -> None:
    first = await open_socket()
    await first.event("READY")
    await first.cut()
    assert first.sequence is not None
    second = await open_socket(resume=first, sequence=first.sequence + 100)
    assert await second.ends() == (4007, "RESUME")


async def test_4008_more_than_120_sends_a_minute(open_socket: Open, client: SimClient) -> None:
    patient = await open_socket(0, 2)
    await patient.event("READY")
    hasty = await open_socket(1, 2)
    await hasty.event("READY")
    for socket in (patient, hasty):
        for _ in range(118):  # beside the heartbeat and the IDENTIFY of the library
            await socket.send_as_json({"op": socket.PRESENCE, "d": {}})
    await hasty.send_as_json({"op": hasty.PRESENCE, "d": {}})
    assert await hasty.ends() == (4008, "RESUME")
    await client.advance(60)
    for _ in range(110):
        await patient.send_as_json({"op": patient.PRESENCE, "d": {}})
    await patient.send_as_json({"op": patient.HEARTBEAT, "d": None})
    await patient.poll_event()
    assert patient.heard[-1]["op"] == patient.HEARTBEAT_ACK


async def test_4009_no_heartbeat(open_socket: Open, client: SimClient) -> None:
    await client.limits(heartbeat_interval=0.2)
    socket = await open_socket()
    assert socket.heard[0]["d"]["heartbeat_interval"] == 200
    assert socket._keep_alive is not None
    socket._keep_alive.stop()
    assert await socket.ends() == (4009, "RESUME")


@pytest.mark.parametrize("shard", [[1, 1], [-1, 2], [0, 0], [0], "0", [0, "1"]])
async def test_4010_no_such_shard(shard: Any, open_socket: Open) -> None:
    assert await (await open_socket(shard=shard)).ends() == (4010, "fatal")


async def test_4010_a_shard_count_that_is_no_multiple(open_socket: Open, client: SimClient, place: Place) -> None:
    await client.edit_application(place.bot, shard_multiple=4)
    assert await (await open_socket(0, 6)).ends() == (4010, "fatal")
    await (await open_socket(0, 8)).event("READY")


async def test_4011_too_many_guilds_for_one_shard(open_socket: Open, client: SimClient) -> None:
    await client.create_stubs(2501)
    assert await (await open_socket(shard=...)).ends() == (4011, "fatal")
    ready = await (await open_socket(0, 2)).event("READY")
    assert len(ready["guilds"]) in range(1200, 1300)
    assert all(guild["unavailable"] for guild in ready["guilds"])


@pytest.mark.parametrize("version", [5, 99])
async def test_4012_an_unknown_version(version: int, open_socket: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("discord.http.INTERNAL_API_VERSION", version)
    with pytest.raises(Exception) as ended:
        await open_socket()
    assert getattr(ended.value, "code", None) == 4012


@pytest.mark.parametrize("intents", [..., -1, 1 << 40, "1", True])
async def test_4013_intents_that_are_none(intents: Any, open_socket: Open) -> None:
    assert await (await open_socket(intents=intents)).ends() == (4013, "fatal")


async def test_4014_intents_that_are_not_switched_on(open_socket: Open, client: SimClient, place: Place) -> None:
    await client.edit_application(place.bot, privileged_intents=1 << 1)
    for privileged in (1 << 8, 1 << 15):
        assert await (await open_socket(intents=1 | privileged)).ends() == (4014, "fatal")
    await (await open_socket(intents=1 | 1 << 1)).event("READY")


async def test_codes_1000_and_1001_end_a_session_and_others_do_not(open_socket: Open, sim: DiscordSim) -> None:
    for code in (1000, 1001):
        socket = await open_socket()
        await socket.event("READY")
        await socket.close(code)
        assert await (await open_socket(resume=socket)).ends() == (1000, "IDENTIFY"), "opcode 9, and the library closes"
        sim.clock.advance(5)
    socket = await open_socket()
    await socket.event("READY")
    await socket.close(4000)
    await (await open_socket(resume=socket)).event("RESUMED")
