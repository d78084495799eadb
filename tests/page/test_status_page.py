"""The status page in headless Chromium. SCREENSHOTS=folder keeps what it looked like."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from coordinator.access import Access
from coordinator.acts import Acts
from coordinator.pages import StatusPage
from coordinator.status import fleet_status
from coordinator.watch import FleetWatch
from markov_shard.errors import RedisUnavailableError
from markov_shard.flags import FLAGS, Rollout
from markov_shard.health import Health, serve_health
from markov_shard.runtime import Runtime, open_runtime
from markov_shard.settings import Settings
from markov_shard.shared.coordination import read_drains, set_drain
from markov_shard.shared.flags import publish_flags
from markov_shard.store.flags import ensure_flags
from markov_shard.tasks import end
from tests.page.conftest import DESKTOP, PHONE, expect
from tests.page.simulated import SimulatedFleet

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

TOKEN = "a token of this test"
CUT = """[...document.querySelectorAll('#map .name, #map .owns, #map summary .small')]
    .filter(node => node.offsetParent && node.scrollWidth > node.clientWidth)
    .map(node => node.textContent)"""
"""The texts of cards that do not fit them."""
ROWS = """[...new Set([...document.querySelectorAll('#map .cells')]
    .map(cells => new Set([...cells.children].map(cell => cell.offsetTop)).size))]"""
"""In how many rows the cards have their shards."""


@pytest.fixture
async def runtime(migrated_url: str, redis_url: str) -> AsyncIterator[Runtime]:
    settings = Settings(database_url=migrated_url, redis_url=redis_url)
    async with open_runtime(settings, "coordinator", pool_size=2) as opened:
        yield opened


class Served:
    """A coordinator's page over whatever Redis knows of a fleet."""

    def __init__(self, runtime: Runtime) -> None:
        self.watch = FleetWatch(lambda: fleet_status(runtime), tick=0.3)


@pytest.fixture
async def served(runtime: Runtime) -> AsyncIterator[tuple[Served, str]]:
    made, acts = Served(runtime), Acts(runtime)
    routes = StatusPage(
        made.watch, Access(TOKEN), {"drain": acts.drain, "undrain": acts.undrain, "set-flag": acts.set_flag}
    ).routes()
    async with serve_health(Health("coordinator", "coordinator-1"), "127.0.0.1", 0, routes=routes) as url:
        watching = asyncio.create_task(made.watch.run())
        yield made, f"{url}/"
        await end([watching])


async def test_a_small_fleet_is_seen_live_and_moves_without_reload(
    visit: Any, served: tuple[Served, str], redis_client: Redis
) -> None:
    fleet = SimulatedFleet(redis_client, 4, 8)
    async with fleet.alive():
        seen = await visit(served[1], DESKTOP)
        page = seen.page
        await page.wait_for_selector(".card.good >> nth=3")
        assert await page.locator("#map .cell.connected").count() == 8
        assert "4 shard processes, 3 workers; led by coordinator-1" in await page.inner_text("#summary")
        await page.locator(".card", has_text="shard-03").locator("summary").click()
        await page.wait_for_selector("details[open] tbody tr >> nth=1")
        await page.fill("#guild", str((300_000_000_001 * 8 + 5) << 22))
        await page.wait_for_selector("#found >> text=shard 5, shard-03, connected")
        await page.wait_for_timeout(6000)  # for the picture: lines need points
        await seen.shot("small-desktop")
        fleet.sick[2] = "closed by Discord: 4014, disallowed intents"
        await page.wait_for_selector("#map .cell.failed")
        await page.wait_for_selector("#happened .error >> text=4014")
        await page.wait_for_selector(".figure.bad >> text=7 of 8")
        del fleet.sick[2]
        await page.wait_for_selector("#happened .shard >> text=shard 2 connected")
        assert not await page.locator("#sign").is_hidden()
        assert await page.locator(".drain:visible").count() == 0
        assert seen.problems == []


async def test_a_large_fleet_fits_a_desktop_and_a_phone_in_light_and_dark(
    visit: Any, served: tuple[Served, str], redis_client: Redis
) -> None:
    fleet = SimulatedFleet(redis_client, 64, 1024)
    fleet.sick = {100: "closed by Discord: 4013", 101: "closed by Discord: 4013"}
    fleet.starting = set(range(320, 330))
    fleet.draining = {"shard-40"}
    async with fleet.alive():
        for name, size, scheme in (("large-desktop", DESKTOP, "dark"), ("large-phone", PHONE, "light")):
            seen = await visit(served[1], size, scheme)
            await seen.page.wait_for_selector(".card >> nth=63")
            assert await seen.page.locator("#map .cell").count() == 1024
            assert await seen.page.locator("#map .cell.failed").count() == 2
            assert await seen.page.locator("#map .cell.connecting").count() == 10
            await seen.page.wait_for_selector(".figure.bad >> text=1012 of 1024")
            await seen.page.wait_for_selector(
                "#faults >> text=Shards 100–101 of shard-07 failed: closed by Discord: 4013"
            )
            await seen.page.wait_for_selector(
                "#happened .error >> text=shards 100, 101 failed: closed by Discord: 4013"
            )
            await seen.page.wait_for_timeout(4000)
            assert not await seen.is_too_wide()
            assert await seen.page.evaluate(CUT) == []
            assert await seen.page.evaluate(ROWS) == [1]
            await seen.shot(name)
            assert seen.problems == []


async def test_changes_need_the_token_and_a_yes(
    visit: Any, served: tuple[Served, str], redis_client: Redis, runtime: Runtime
) -> None:
    fleet = SimulatedFleet(redis_client, 4, 8)
    async with runtime.database.transaction() as connection:
        first = dict.fromkeys(FLAGS, Rollout(10_000)) | {"markov_store": Rollout(5_000, frozenset({42}))}
        flags = await ensure_flags(connection, first)
    await publish_flags(redis_client, flags.change_id, flags.rollouts)
    async with fleet.alive():
        seen = await visit(served[1], PHONE)
        page = seen.page
        await page.wait_for_selector(".card.good >> nth=3")
        await page.click("#sign")
        await page.fill("#token", "wrong")
        await page.click("#sign-form button.main")
        await page.wait_for_selector("#sign-error >> text=not the token")
        await seen.shot("sign-in-phone")
        await page.fill("#token", TOKEN)
        await page.click("#sign-form button.main")
        await page.wait_for_selector("#sign >> text=Sign out")
        card = page.locator(".card", has_text="shard-01")
        await card.locator("summary").click()
        await card.locator(".drain").click()
        await page.click("#ask-no")
        for name in ("shard-01", "shard-04"):
            await set_drain(redis_client, name, drain=True)
        for name in ("shard-03", "shard-02"):
            card = page.locator(".card", has_text=name)
            await card.locator("summary").click()
            await card.locator(".drain").click()
            await page.wait_for_selector("#ask-dialog[open]")
            await page.click("#ask-yes")
            expected = "shard-02 is the only shard process" if name == "shard-02" else "shard-03 drains"
            await page.wait_for_selector(f"#said >> text={expected}")
        flag = page.locator("#flags li", has_text="markov_store")
        await flag.locator("input").fill("12.5")
        await flag.locator("button").click()
        await page.click("#ask-yes")
        await page.wait_for_selector("#said >> text=markov_store is on for 12.5 % of all guilds")
        await page.wait_for_selector("#flags >> text=12.5 % of guilds and 1 guild by name")
        await seen.shot("signed-in-phone")
        assert await read_drains(redis_client) == {"shard-01", "shard-03", "shard-04"}
        fleet.draining = {"shard-03"}
        await page.locator(".card.draining .drain").click()
        await page.wait_for_selector("#said >> text=shard-03 serves again")
        assert await read_drains(redis_client) == {"shard-01", "shard-04"}
        assert not await seen.is_too_wide()
        await page.click("#sign")
        await page.wait_for_selector("#sign >> text=Sign in")
        await expect(page.locator(".drain:visible")).to_have_count(0)
        assert [problem for problem in seen.problems if "403" not in problem and "409" not in problem] == []


async def test_a_redis_that_is_away_is_said_and_the_last_picture_kept(
    visit: Any, served: tuple[Served, str], redis_client: Redis
) -> None:
    fleet = SimulatedFleet(redis_client, 4, 8)
    async with fleet.alive():
        seen = await visit(served[1], DESKTOP)
        await seen.page.wait_for_selector(".card.good >> nth=3")

        async def away() -> dict[str, Any]:
            raise RedisUnavailableError("Redis at 127.0.0.1:6379 cannot be used: refused")

        ask, served[0].watch._ask = served[0].watch._ask, away
        await seen.page.wait_for_selector("#trouble >> text=cannot be used: refused")
        assert await seen.page.locator("#map .card").count() == 4
        await seen.shot("redis-away-desktop")
        served[0].watch._ask = ask
        await seen.page.wait_for_selector("#trouble", state="hidden")
