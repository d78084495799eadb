"""The fleet's REST budget, with two processes, a real Redis, and the stand-in's limits."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import hikari
import pytest
from redis.asyncio import Redis

from discord_sim import DEMO_TOKEN
from discord_sim.server import DiscordSim
from markov_shard.rest_limits import budget_finding, keep_to, limit_of
from markov_shard.rest_lines import keep_lines_moving
from markov_shard.shared import keys
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.rest_budget import RestBudget, RestPausedError
from tests.standin import stand_in

PER_SECOND = 50


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    async with stand_in() as made:
        yield made


async def ask(redis_url: str, rest_url: str, requests: int, invalid_limit: int) -> None:
    """What a process of this test does: many requests at once, through hikari."""
    redis = await connect_redis(redis_url)
    budget = RestBudget(redis, PER_SECOND, invalid_limit=invalid_limit)
    app = hikari.RESTApp(url=rest_url)
    await app.start()
    async with app.acquire(DEMO_TOKEN, hikari.TokenType.BOT) as rest:
        keep_to(budget, rest)
        await asyncio.gather(*(rest.fetch_my_user() for _ in range(requests)), return_exceptions=True)
    await app.close()
    await redis.aclose()
    sys.stdout.write(f"{budget.requests} {budget.invalid} {int(budget.paused)}\n")


async def in_two_processes(redis_url: str, sim: DiscordSim, requests: int, invalid_limit: int) -> list[list[int]]:
    """Each one's requests sent, invalid answers, and whether its breaker is open."""
    program = (
        "import asyncio; from tests.integration.shared.test_rest_budget import ask;"
        f" asyncio.run(ask({redis_url!r}, '{sim.public_url}/api/v10', {requests}, {invalid_limit}))"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        for _ in range(2)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    return [[int(word) for word in out.splitlines()[-1].split()] for out, _ in outputs]


async def test_all_processes_together_keep_to_the_bots_limit(sim: DiscordSim, redis_url: str) -> None:
    sim.limiter.limits.buckets = False
    figures = await in_two_processes(redis_url, sim, 40, 10_000)
    assert [sent for sent, _, _ in figures] == [40, 40]
    asked = [entry["at"] for entry in sim.journal.since(0, "rest")]
    assert len(asked) == 80
    assert max(sum(at <= other < at + 1 for other in asked) for at in asked) <= PER_SECOND
    assert Counter(entry["status"] for entry in sim.journal.since(0, "rest")) == {200: 80}


async def test_the_breaker_opens_for_all_before_discord_bans_the_address(sim: DiscordSim, redis_url: str) -> None:
    """Of ten thousand it is a tenth early; here of a hundred."""
    sim.limiter.limits.buckets = False
    sim.faults.add({"rest": {"status": 403, "count": None}})
    figures = await in_two_processes(redis_url, sim, 80, 100)
    sent = sum(sent for sent, _, _ in figures)
    assert sent == sum(invalid for _, invalid, _ in figures) == len(sim.journal.since(0, "rest"))
    assert 90 <= sent < 100
    assert [paused for _, _, paused in figures] == [1, 1]


async def test_a_paused_process_says_so_and_goes_on_when_minutes_have_passed(redis_client: Redis) -> None:
    budget = RestBudget(redis_client, PER_SECOND, invalid_limit=10)
    for _ in range(9):
        await budget.answered(401)
    with pytest.raises(RestPausedError, match="9 answers of 401, 403 or 429 came in 10 minutes"):
        await budget.take()
    assert "REST requests are paused" in budget_finding(budget).text
    other = RestBudget(redis_client, 0, invalid_limit=10)
    with pytest.raises(RestPausedError):
        await other.take()  # behind a proxy too: the address is banned all the same
    minutes = [name for name in await redis_client.hkeys(keys.rest()) if name.startswith(b"invalid:")]
    minute = int(minutes[0].removeprefix(b"invalid:"))
    await redis_client.hset(keys.rest(), f"invalid:{minute - 11}", 9)
    await redis_client.hdel(keys.rest(), *minutes)
    await budget.take()
    assert not budget.paused
    await budget.answered(403)
    assert budget.invalid_in_10_minutes == 1
    assert await redis_client.hget(keys.rest(), f"invalid:{minute - 11}") is None


async def test_requests_in_line_for_one_route_all_hear_of_the_pause(sim: DiscordSim, redis_client: Redis) -> None:
    budget = RestBudget(redis_client, 0, invalid_limit=10)
    app = hikari.RESTApp(url=f"{sim.public_url}/api/v10")
    await app.start()
    async with app.acquire(DEMO_TOKEN, hikari.TokenType.BOT) as rest:
        keep_lines_moving(rest)
        keep_to(budget, rest)
        sim.faults.add({"rest": {"status": 429, "count": None, "retry_after": 0}})
        async with asyncio.timeout(30):
            done = await asyncio.gather(*(rest.create_message(1, "hello") for _ in range(5)), return_exceptions=True)
    await app.close()
    assert ["answers of 401, 403 or 429" in str(error) for error in done] == [True] * 5
    assert budget.invalid == 9


async def test_a_pause_ends_where_nothing_is_asked(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("markov_shard.shared.rest_budget._PAUSED_SECONDS", 0.01)
    budget = RestBudget(redis_client, 0, invalid_limit=10)
    for _ in range(9):
        await budget.answered(401)
    assert budget.paused
    await redis_client.delete(keys.rest())
    async with asyncio.timeout(30):
        while budget.paused:
            await asyncio.sleep(0.01)


async def test_what_counts_for_nobody_is_not_counted(redis_client: Redis) -> None:
    budget = RestBudget(redis_client, PER_SECOND)
    await budget.answered(429, scope="shared")
    await budget.answered(404)
    await budget.answered(200)
    assert budget.invalid == 0


async def test_a_global_429_holds_everybody_back(redis_client: Redis) -> None:
    one, two = RestBudget(redis_client, PER_SECOND), RestBudget(redis_client, PER_SECOND)
    await one.answered(429, scope="global", retry_after=0.4)
    await two.take()
    assert 0.3 < two.waited <= 0.5


async def test_without_redis_each_process_keeps_to_its_share() -> None:
    redis = Redis(port=9, socket_connect_timeout=0.2)  # nobody listens there
    now = [0.0]
    budget = RestBudget(redis, PER_SECOND, invalid_limit=20, clock=lambda: now[0])
    budget._members = 4
    for _ in range(3):
        await budget.take()
    assert budget.waited == pytest.approx(0.1 + 0.2)  # 10 a second
    for _ in range(5):
        await budget.answered(403)
    with pytest.raises(RestPausedError):
        await budget.take()  # four times five are twenty
    now[0] = 601.0
    await budget.take()
    await redis.aclose()


async def test_answers_to_interactions_do_not_wait(sim: DiscordSim, redis_client: Redis) -> None:
    budget = RestBudget(redis_client, 1)
    app = hikari.RESTApp(url=f"{sim.public_url}/api/v10")
    await app.start()
    async with app.acquire(DEMO_TOKEN, hikari.TokenType.BOT) as rest:
        keep_to(budget, rest)
        for _ in range(3):
            with pytest.raises(hikari.NotFoundError):
                await rest.create_interaction_response(1, "token", hikari.ResponseType.MESSAGE_CREATE, "hello")
    await app.close()
    assert (budget.requests, budget.waited) == (3, 0.0)


async def test_a_reply_does_not_wait_for_news_of_the_breaker(redis_client: Redis) -> None:
    now = [0.0]
    budget = RestBudget(redis_client, 0, invalid_limit=10, clock=lambda: now[0])
    await budget.take(limited=False)
    for _ in range(9):
        await RestBudget(redis_client, PER_SECOND).answered(401)  # of another process
    now[0] += 2.0
    await budget.take(limited=False)
    assert not budget.paused  # sent with the news of two seconds ago
    while not budget.paused:
        await asyncio.sleep(0)
    with pytest.raises(RestPausedError):
        await budget.take(limited=False)
    await redis_client.delete(keys.rest())
    now[0] += 60.0
    await budget.take(limited=False)  # but not with those of a minute ago
    assert not budget.paused


@pytest.mark.parametrize(
    ("url", "configured", "limit"),
    [
        ("https://discord.com/api/v10", None, 50),
        ("https://canary.discord.com/api/v10", None, 50),
        ("http://proxy:8080/api/v10", None, 0),
        ("https://notdiscord.com/api/v10", None, 0),
        ("https://discord.com/api/v10", 0, 0),
        ("https://discord.com/api/v10", 200, 200),
    ],
)
def test_who_keeps_the_limit(url: str, configured: int | None, limit: int) -> None:
    assert limit_of(url, configured) == limit


async def test_closing_ends_what_looks_at_redis_beside_the_requests(redis_client: Redis) -> None:
    budget = RestBudget(redis_client, 0, invalid_limit=10)
    await budget.take(limited=False)
    for _ in range(10):
        await budget.answered(403)
    assert budget.paused
    ours = {task for task in asyncio.all_tasks() if task.get_name() in ("REST budget", "REST pause")}
    assert ours
    await budget.close()
    assert all(task.done() for task in ours)
