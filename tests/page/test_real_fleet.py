"""Both pages over a fleet of real processes: what an operator sees of a death, a drain and a flag, and what a newcomer
does with the bot. SCREENSHOTS=folder keeps what they looked like.
"""

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.fleet.processes import Fleet, fleet_environment
from tests.page.chatting import Chatter, House
from tests.page.conftest import DESKTOP, PHONE, Visit, expect

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

Visits = Callable[..., Awaitable[Visit]]
TOKEN = "a token of this test"
SHARDS = ("shard-1", "shard-2", "shard-3", "shard-4")


@pytest.fixture
async def fleet(tmp_path: Path, migrated_url: str, redis_url: str, house: House) -> AsyncIterator[Fleet]:
    environment = fleet_environment(tmp_path, migrated_url, redis_url, house.sim.base_url)
    made = Fleet(tmp_path, {**environment, "SHARD_COUNT": "8", "STATUS_TOKEN": TOKEN})
    try:
        yield made
    finally:
        await made.stop()


async def test_an_operator_sees_a_process_die_drains_another_and_turns_a_flag(
    visit: Visits, fleet: Fleet, house: House
) -> None:
    await fleet.start("coordinator-1", *SHARDS, "worker-1")
    await fleet.ready()
    url = f"http://127.0.0.1:{fleet.ports['coordinator-1']}/"
    desk, phone = await visit(url, DESKTOP, "dark"), await visit(url, PHONE)
    page = desk.page
    for seen in (desk, phone):
        await seen.page.wait_for_selector(".figure >> text=8 of 8", timeout=30_000)
        await expect(seen.page.locator("#map .card.good")).to_have_count(4)
        await expect(seen.page.locator("#map .cell.connected")).to_have_count(8)
        await expect(seen.page.locator("#faults-part")).to_be_hidden()
    await house.sim.send_message(house.channels["general"], house.members["mira"], "so that something is seen")
    await desk.shot("real-fleet-desktop")
    await phone.shot("real-fleet-phone")

    dead = await page.locator("#map .card .name").nth(1).inner_text()
    await fleet.kill(dead)
    await expect(page.locator("#happened .error", has_text=f"{dead} is gone, shard")).to_have_count(1, timeout=40_000)
    await expect(page.locator("#map .card.good")).to_have_count(3, timeout=40_000)
    await expect(page.locator("#map .card", has_text=dead)).to_have_count(0)
    await page.wait_for_selector(".figure >> text=8 of 8", timeout=60_000)
    await desk.shot("real-fleet-one-died-desktop")
    await phone.shot("real-fleet-one-died-phone")

    await page.click("#sign")
    await page.fill("#token", TOKEN)
    await page.click("#sign-form button.main")
    await page.wait_for_selector("#sign >> text=Sign out")
    drained = await page.locator("#map .card .name").nth(0).inner_text()
    card = page.locator("#map .card", has_text=drained)
    await card.locator("summary").click()
    await card.locator(".drain").click()
    await page.click("#ask-yes")
    await page.wait_for_selector(f"#said >> text={drained} drains")
    draining = page.locator("#map .card.draining", has_text=drained)
    await draining.wait_for(timeout=60_000)
    await expect(draining.locator(".cell")).to_have_count(0, timeout=60_000)
    await page.wait_for_selector(".figure >> text=8 of 8", timeout=60_000)
    await desk.shot("real-fleet-drained-desktop")
    sessions = await house.sim.sessions()
    assert len(sessions) == 8
    # Killed, a process may cost an IDENTIFY a shard; drained, it costs none.
    assert all(session["identifies"] <= 2 for session in sessions)
    await card.locator(".drain").click()
    await page.wait_for_selector(f"#said >> text={drained} serves again")
    await expect(page.locator("#map .card.good")).to_have_count(3, timeout=60_000)

    flag = page.locator("#flags li", has_text="markov_store")
    await flag.locator("input").fill("25")
    await flag.locator("button").click()
    await page.click("#ask-yes")
    await phone.page.wait_for_selector("#flags >> text=25 % of guilds")
    await phone.shot("real-fleet-flag-phone")
    for seen in (desk, phone):
        assert seen.problems == []
        assert not await seen.is_too_wide()


async def test_a_newcomers_first_ten_minutes(visit: Visits, fleet: Fleet, house: House, tmp_path: Path) -> None:
    await fleet.start("coordinator-1", "shard-1", "worker-1")
    await fleet.ready()
    await house.sim.wait_for_command(house.guild, "mark")
    mira = Chatter(await visit(f"{house.sim.base_url}/", DESKTOP, "dark", at=house.place("mira")))
    jonas = Chatter(await visit(f"{house.sim.base_url}/", PHONE, "dark", at=house.place("jonas")))
    await mira.page.locator("#hint", has_text="/mark").wait_for()
    await mira.call("help")
    await mira.page.keyboard.press("Enter")
    await mira.alone("Talking")
    await mira.seen.shot("newcomer-help-desktop")

    said = itertools.product(("old", "grey"), ("rye", "warm"), ("dawn", "dusk"))
    lines = [f"the {owl} owl sings of {bread} bread at {hour}" for owl, bread, hour in said]
    file = tmp_path / "lines.json"
    file.write_text(json.dumps(lines), encoding="utf-8")
    await mira.call("train")
    await mira.option("json").set_input_files(file)
    await mira.page.click("#command-options .primary")
    await mira.message("8 learned").wait_for(timeout=60_000)
    await mira.seen.shot("newcomer-trained-desktop")

    await jonas.call("mark")
    await jonas.option("seed").fill("the grey owl")
    await jonas.page.click("#command-options .primary")
    answer = mira.message("jonas used /mark")
    await answer.wait_for()
    await jonas.seen.shot("newcomer-mark-phone")
    await expect(answer.locator(".content")).to_contain_text("owl")

    await mira.call("listen modify")
    await mira.page.keyboard.press("Enter")
    menu = (await mira.alone("Choose the channels")).locator(".several")
    await menu.locator("summary").click()
    await menu.get_by_label("#kitchen").check()
    await mira.seen.shot("newcomer-listen-desktop")
    await menu.get_by_role("button", name="Choose").click()
    chosen = await mira.alone("From now on I learn from #kitchen")
    await expect(chosen.locator("summary")).to_contain_text("#kitchen")
    await expect(chosen.locator(".above")).to_have_text("mira used /listen modify")
    for chatter in (mira, jonas):
        assert chatter.seen.problems == []
        assert not await chatter.seen.is_too_wide()
    await mira.seen.shot("newcomer-listens-desktop")
