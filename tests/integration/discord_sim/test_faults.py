"""Faults, replays and expiries that the control API arranges, as a client meets them."""

import asyncio

import aiohttp
import pytest

from discord_sim.client import SimClient
from discord_sim.client.core import ControlError
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.conftest import Place
from tests.integration.discord_sim.rest_client import RestClient


async def test_so_many_requests_fail_after_so_many_others(rest: RestClient, client: SimClient) -> None:
    await client.fail_requests("/users/@me$", 503, skip=1, count=2, message="Away")
    answers = [await rest("GET", "/users/@me") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 503, 503, 200]
    assert answers[1].json == {"message": "Away", "code": 0}
    await client.fail_requests("/users/@me$", 500, count=None)
    assert [(await rest("GET", "/users/@me")).status for _ in range(3)] == [500] * 3
    await client.clear_faults()
    assert (await rest("GET", "/users/@me")).status == 200


async def test_the_world_changes_just_before_a_request(rest: RestClient, client: SimClient, place: Place) -> None:
    route, body = f"/channels/{place.channel}/messages", {"content": "x"}
    await client.faults(rest={"path": "/messages$", "deny": {"channel": place.channel, "bits": 1 << 11}})
    denied = await rest("POST", route, body)
    assert (denied.status, denied.code) == (403, 50013)
    await client.faults(rest={"path": "/messages$", "delete_channel": place.channel})
    gone = await rest("POST", route, body)
    assert (gone.status, gone.code) == (404, 10003)
    assert (await client.guild(place.guild))["channels"] == []


@pytest.mark.parametrize(("when", "written"), [("before", 0), ("after", 1)])
async def test_a_request_is_lost_or_its_answer(
    when: str, written: int, rest: RestClient, client: SimClient, place: Place
) -> None:
    await client.faults(rest={"path": "/messages$", "drop": when})
    with pytest.raises(aiohttp.ClientError):
        await rest("POST", f"/channels/{place.channel}/messages", {"content": "x"})
    assert len(await client.messages(place.channel)) == written


async def test_an_answer_comes_late(rest: RestClient, client: SimClient) -> None:
    await client.faults(rest={"path": "/users/@me$", "latency": 0.1})
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await rest("GET", "/users/@me")).status == 200
    assert loop.time() - began >= 0.1


async def test_what_is_no_fault_is_refused_whole(rest: RestClient, client: SimClient) -> None:
    for wrong in (
        {"rest": {"path": "("}},
        {"rest": {}, "gateway": {"events": "["}},
        {"rest": [{"status": 503}, {"status": 200}]},
        {"weather": {}},
    ):
        with pytest.raises(ControlError) as refused:
            await client.faults(**wrong)
        assert refused.value.status == 400
    assert (await rest("GET", "/users/@me")).status == 200
    assert (await client.call("GET", "faults"))["rest"] == []


async def test_a_replay_is_kept_or_not(rest: RestClient, client: SimClient, place: Place) -> None:
    for keep, count in ((False, 0), (True, 5)):
        lines = ["one", "two", "three"]
        started = await client.start_replay([place.channel], lines=lines, count=5, keep=keep, authors=[place.member])
        assert (await client.wait_for_replay(started))["sent"] == 5
        page = (await rest("GET", f"/channels/{place.channel}/messages")).json
        assert len(page) == count
    assert [message["content"] for message in reversed(page)] == ["one", "two", "three", "one", "two"]


async def test_addresses_of_the_cdn_expire_and_are_refreshed(
    rest: RestClient, client: SimClient, place: Place, sim: DiscordSim
) -> None:
    sent = await client.send_message(place.channel, place.member, "x", files=[("a.txt", b"text")])
    url = sent["attachments"][0]["url"]

    async def status(of: str) -> int:
        async with aiohttp.request("GET", of) as response:
            return response.status

    assert await status(url) == 200
    assert await status(url.replace("hm=", "hm=0")) == 404
    await client.advance(2 * 86_400)
    assert await status(url) == 404
    refreshed = (await rest("POST", "/attachments/refresh-urls", {"attachment_urls": [url]})).json["refreshed_urls"]
    assert refreshed[0]["original"] == url
    assert await status(refreshed[0]["refreshed"]) == 200
    assert await status((await client.message(place.channel, sent["id"]))["attachments"][0]["url"]) == 200
