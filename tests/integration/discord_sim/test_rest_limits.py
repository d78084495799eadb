"""REST's limits, met by aiohttp and by discord.py. The stand-in's time moves only when told to."""

import logging
from collections.abc import AsyncIterator

import discord
import hikari
import pytest
from discord.http import Ratelimit

from discord_sim import DEMO_TOKEN
from discord_sim.client import SimClient
from discord_sim.clock import Clock
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.conftest import Place
from tests.integration.discord_sim.discord_py_bot import pointed_at
from tests.integration.discord_sim.rest_client import Answer, RestClient
from tests.standin import stand_in

NOW = 1_795_000_000.0


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    """A stand-in with all of Discord's limits, whose clock stands still."""
    async with stand_in(clock=Clock(lambda: NOW, lambda: NOW)) as made:
        yield made


async def _say(rest: RestClient, channel: str, text: str = "x") -> Answer:
    return await rest("POST", f"/channels/{channel}/messages", {"content": text})


async def test_a_bucket_for_each_route_and_channel(rest: RestClient, client: SimClient, place: Place) -> None:
    answers = [await _say(rest, place.channel) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == list("43210")
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"5"}
    assert float(answers[-1].headers["X-RateLimit-Reset-After"]) == 5.0
    assert float(answers[-1].headers["X-RateLimit-Reset"]) == NOW + 5
    early = await _say(rest, place.channel)
    assert early.status == 429
    assert early.json == {"message": "You are being rate limited.", "code": 0, "retry_after": 5.0, "global": False}
    assert early.headers["Retry-After"] == "5"
    assert early.headers["X-RateLimit-Scope"] == "user"
    assert early.headers["X-RateLimit-Bucket"] == answers[0].headers["X-RateLimit-Bucket"]
    assert early.headers["Via"] == "1.1 google"
    other = await client.create_channel(place.guild, "other")
    elsewhere = await _say(rest, other["id"])
    assert elsewhere.status == 200, "the channel is a major parameter"
    assert elsewhere.headers["X-RateLimit-Bucket"] == early.headers["X-RateLimit-Bucket"]
    assert (await rest("GET", f"/channels/{place.channel}/messages")).status == 200, "another route"
    await client.advance(5)
    assert (await _say(rest, place.channel)).status == 200


async def test_fifty_requests_a_second(rest: RestClient, client: SimClient, place: Place) -> None:
    await client.limits(buckets=False)
    for _ in range(50):
        assert (await rest("GET", "/users/@me")).status == 200
    early = await rest("GET", "/users/@me")
    assert early.status == 429
    assert early.json["global"] is True
    assert early.headers["X-RateLimit-Global"] == "true"
    assert early.headers["X-RateLimit-Scope"] == "global"
    assert (await rest("GET", f"/channels/{place.channel}")).status == 429, "whatever the route"
    assert (await rest("POST", "/interactions/1/token/callback", {"type": 1})).status == 404, "but for interactions"
    await client.advance(1)
    assert (await rest("GET", "/users/@me")).status == 200


async def test_too_many_invalid_requests_lead_to_a_ban(rest: RestClient, client: SimClient, sim: DiscordSim) -> None:
    assert sim.limiter.limits.invalid_in_10_minutes == 10_000
    await client.limits(invalid_in_10_minutes=20, buckets=False, global_per_second=None)
    await client.fail_requests("/users/@me$", 429, scope="shared", retry_after=0, count=30)
    for _ in range(30):
        assert (await rest("GET", "/users/@me")).status == 429, "of a shared scope, so it does not count"
    for _ in range(20):
        assert (await rest("GET", "/users/@me", token="no.such.token")).status == 401
    banned = await rest("GET", "/users/@me")
    assert (banned.status, banned.json) == (429, None)
    assert banned.headers["Content-Type"].startswith("text/html")
    assert "Via" not in banned.headers
    with pointed_at(sim):
        async with discord.Client(intents=discord.Intents.none()) as library:
            with pytest.raises(discord.HTTPException, match="1015"):  # it does not even try again
                await library.login(DEMO_TOKEN)
    await client.advance(599)
    assert (await rest("GET", "/users/@me")).status == 429
    await client.advance(1)
    assert (await rest("GET", "/users/@me")).status == 200


async def test_the_library_reads_the_headers(
    client: SimClient, place: Place, sim: DiscordSim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """discord.py asks no more often than a bucket allows, whose size it has from the headers alone."""
    slept: list[float] = []

    async def pass_time(limit: Ratelimit) -> None:
        """Where the library would sleep, the stand-in's time passes."""
        slept.append(limit.reset_after)
        await client.advance(limit.reset_after)
        limit.reset()
        limit._wake(limit.remaining)

    monkeypatch.setattr(Ratelimit, "_refresh", pass_time)
    with pointed_at(sim):
        async with discord.Client(intents=discord.Intents.none()) as library:
            await library.login(DEMO_TOKEN)
            channel = await library.fetch_channel(int(place.channel))
            assert isinstance(channel, discord.TextChannel)
            sent = await channel.send("react")
            for emoji in "🙂🙃😀":
                await sent.add_reaction(emoji)
    assert slept == [0.25] * 3
    assert all(entry["status"] < 300 for entry in await client.requests())


async def test_a_nonce_is_enforced_for_five_minutes(rest: RestClient, client: SimClient, place: Place) -> None:
    async def say(**more: object) -> str:
        sent = await rest("POST", f"/channels/{place.channel}/messages", {"content": "x", "nonce": "n", **more})
        return str(sent.json["id"])

    first = await say(enforce_nonce=True)
    assert await say(enforce_nonce=True) == first
    assert await say() != first, "not enforced"
    await client.advance(301)
    assert await say(enforce_nonce=True) != first


async def test_hikari_finds_nothing_strange(
    client: SimClient, place: Place, sim: DiscordSim, caplog: pytest.LogCaptureFixture
) -> None:
    """The answers to interactions have no bucket; hikari writes an error to its log where one has."""
    app = hikari.RESTApp(url=f"{sim.public_url}/api/v10")
    await app.start()
    async with app.acquire(DEMO_TOKEN, hikari.TokenType.BOT) as api:
        await api.create_message(int(place.channel), "hello")
        application = await api.fetch_application()
        await api.set_application_commands(application.id, [api.slash_command_builder("ping", "Answers")])
        interaction = await client.start_command(place.channel, place.member, "ping")
        token = sim.interactions.get(int(interaction)).token  # type: ignore[union-attr]
        kind = hikari.ResponseType.DEFERRED_MESSAGE_CREATE
        await api.create_interaction_response(int(interaction), token, kind)
        await api.edit_interaction_response(application.id, token, "pong")
        await api.execute_webhook(application.id, token, "and more")
        assert (await client.interaction(interaction))["response"]["content"] == "pong"
    await app.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_every_answer_is_checked(sim: DiscordSim, rest: RestClient, client: SimClient, place: Place) -> None:
    """Real ones, those to faults and those to too many requests: a broken one is caught, and named."""
    if sim.contract is None:
        pytest.skip("Discord's document is not at hand")
    await client.fail_requests("/users/@me$", 429, retry_after=0.1)
    await client.fail_requests("/users/@me$", 403, code=50001)
    for wanted in (429, 403, 200):
        assert (await rest("GET", "/users/@me")).status == wanted
    assert await client.violations() == []
    sim.world.users[int(place.bot)].username = 5  # type: ignore[assignment]
    await rest("GET", "/users/@me")
    await client.fail_requests("/users/@me$", 403, code=50001, message="")
    sim.faults._rest[0].message = None  # type: ignore[assignment]
    await rest("GET", "/users/@me")
    assert [found.split(":")[0] for found in await client.violations()] == ["GET /users/@me 200", "GET /users/@me 403"]
    sim.violations.clear()
