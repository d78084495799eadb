"""The stand-in's chat page in headless Chromium, with a discord.py bot. SCREENSHOTS=folder keeps what it looks like."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from discord_sim import DEMO_TOKEN
from discord_sim.client import SimClient
from tests.page.chatting import Chatter, House, picture
from tests.page.conftest import DESKTOP, PHONE, Visit, expect
from tests.standin import stand_in

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

Visits = Callable[..., Awaitable[Visit]]
BOT = Path(__file__).with_name("tour_bot.py")


@pytest.fixture
async def bot(house: House) -> AsyncIterator[None]:
    """The tour bot, connected and with its commands registered."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(BOT), f"{house.sim.base_url}/api/v10", DEMO_TOKEN, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def enter(visit: Visits, house: House) -> AsyncIterator[Callable[..., Awaitable[Chatter]]]:
    """`await enter("mira")` opens the page as mira. At the end no page may have had an error or looked elsewhere."""
    entered: list[Chatter] = []

    async def open_page(member: str, size: dict[str, int] = DESKTOP, channel: str = "general") -> Chatter:
        chatter = Chatter(await visit(f"{house.sim.base_url}/", size, "dark", at=house.place(member, channel)))
        await expect(chatter.page.locator("#composer")).to_be_enabled()
        await expect(chatter.page.locator("#beginning")).to_be_visible()
        entered.append(chatter)
        return chatter

    yield open_page
    for chatter in entered:
        assert chatter.seen.problems == []
        assert not await chatter.seen.is_too_wide()


Enter = Callable[..., Awaitable[Chatter]]


async def test_two_people_see_what_the_other_writes_edits_and_deletes(enter: Enter, house: House) -> None:
    mira, jonas = await enter("mira"), await enter("jonas", PHONE)
    await jonas.composer.press_sequentially("Is the *kettle* on?")
    await mira.page.locator("#typing", has_text="jonas is typing…").wait_for()
    await jonas.composer.press("Enter")
    await mira.message("Is the kettle on?").locator("em", has_text="kettle").wait_for()
    await expect(mira.page.locator("#typing")).to_be_empty()

    await mira.message("Is the kettle on?").hover()
    await mira.message("Is the kettle on?").locator("[data-action=reply]").click()
    await mira.page.locator("#reply", has_text="Replying to jonas").wait_for()
    await mira.say("It is bolling")
    answer = jonas.message("It is bolling")
    await answer.locator(".above", has_text="jonas Is the kettle on?").wait_for()

    await mira.composer.press("ArrowUp")
    editor = mira.page.locator(".editor textarea")
    await editor.fill("It is boiling")
    await editor.press("Enter")
    await jonas.message("It is boiling").locator(".edited").wait_for()
    await expect(jonas.page.locator("#messages")).not_to_contain_text("bolling")

    line = await jonas.say("Never mind")
    await mira.message("Never mind").wait_for()
    await expect(mira.message("Never mind").locator("[data-action=edit]")).to_have_count(0)
    await line.locator("[data-action=delete]").click(force=True)
    await expect(mira.page.locator("#messages")).not_to_contain_text("Never mind")
    await expect(jonas.page.locator("#messages")).not_to_contain_text("Never mind")

    await mira.seen.shot("chat-desktop")
    await jonas.seen.shot("chat-phone")
    kept = await house.sim.messages(house.channels["general"])
    assert [message["content"] for message in kept] == ["It is boiling", "Is the *kettle* on?"]


async def test_other_channels_show_what_is_unread_and_mentions_stand_out(enter: Enter, house: House) -> None:
    mira, jonas = await enter("mira"), await enter("jonas", channel="kitchen")
    await jonas.composer.press_sequentially("@mi")
    await jonas.page.locator("#complete .suggestion", has_text="@mira").wait_for()
    await jonas.seen.shot("mention-desktop")
    await jonas.composer.press("Tab")
    await jonas.say("please look")
    unread = mira.page.locator(f"[data-channel-id='{house.channels['kitchen']}']")
    await expect(unread).to_have_class("channel unread ")
    await expect(unread.locator(".count")).to_contain_text("1")
    await unread.click()
    told = mira.message("please look")
    await expect(told.locator(".mention.me")).to_have_text("@mira")
    await expect(told).to_have_class("message mentioned")
    await expect(unread.locator(".count")).to_have_count(0)
    (message, *_) = await house.sim.messages(house.channels["kitchen"])
    assert [user["username"] for user in message["mentions"]] == ["mira"]


async def test_files_are_chosen_seen_beforehand_sent_and_shown(enter: Enter, house: House, tmp_path: Path) -> None:
    mira, jonas = await enter("mira"), await enter("jonas", PHONE)
    notes = tmp_path / "leaves.txt"
    notes.write_text("darjeeling, assam", encoding="utf-8")
    chosen = mira.page.locator("#attach")
    await chosen.set_input_files([picture(tmp_path), notes, picture(tmp_path, "second.png")])
    await expect(mira.page.locator("#uploads li")).to_have_count(3)
    await mira.page.click("#uploads button[aria-label='Remove second.png']")
    await mira.say("For the shelf")
    await expect(mira.page.locator("#uploads")).to_be_hidden()

    row = jonas.message("For the shelf")
    image = row.locator(".picture img")
    await expect(image).to_have_attribute("alt", "teapot.png")
    await expect(image).to_have_js_property("naturalWidth", 120)
    async with jonas.page.expect_download() as begun:
        await row.locator(".file a", has_text="leaves.txt").click()
    assert Path(await (await begun.value).path()).read_bytes() == notes.read_bytes()

    await chosen.set_input_files([picture(tmp_path, f"{number}.png") for number in range(11)])
    await mira.page.locator("#notice.bad", has_text="at most 10 files").wait_for()
    await expect(mira.page.locator("#uploads li")).to_have_count(10)
    await mira.seen.shot("upload-desktop")
    await jonas.seen.shot("upload-phone")


@pytest.mark.usefixtures("bot")
async def test_a_commands_options_are_typed_and_checked_and_its_answer_is_ones_own(
    enter: Enter, house: House, tmp_path: Path
) -> None:
    mira, jonas = await enter("mira"), await enter("jonas")
    form = await mira.call("ord")
    await form.locator(".more-options").click()
    await mira.option("portions").fill("13")
    await mira.option("note").fill("ok")
    await mira.page.keyboard.press("Enter")
    await expect(form.locator(".error:not(:empty)")).to_have_count(3)
    await expect(mira.option("dish")).to_be_focused()
    await mira.seen.shot("command-refused-desktop")

    await mira.option("dish").select_option("Soup")
    await mira.option("portions").fill("2")
    await mira.option("note").fill("no salt")
    await mira.option("guest").select_option(label="jonas")
    await mira.option("warm").select_option("True")
    await mira.option("tip").fill("1.5")
    await expect(mira.option("table").locator("option")).to_have_text(["—", "#general", "#kitchen", "#cellar"])
    await mira.option("table").select_option(label="#kitchen")
    await mira.option("recipe").set_input_files(picture(tmp_path))
    await expect(form.locator(".error:not(:empty)")).to_have_count(0)
    await mira.page.keyboard.press("Enter")
    size = (tmp_path / "teapot.png").stat().st_size
    order = f"4 halves of Soup, no salt, jonas, warm True, tip 1.75, kitchen, teapot.png of {size} bytes"
    row = await mira.alone(order)
    await row.locator(".above", has_text="mira used /order").wait_for()
    await expect(form).to_be_hidden()
    await expect(mira.composer).to_be_focused()

    await jonas.say("What did she take?")
    await mira.message("What did she take?").wait_for()
    await expect(jonas.page.locator("#messages")).not_to_contain_text("halves")
    await mira.seen.shot("ephemeral-desktop")
    await row.locator(".dismiss").click()
    await expect(mira.page.locator("#messages")).not_to_contain_text("halves")


@pytest.mark.usefixtures("bot")
async def test_options_are_completed_by_the_bot(enter: Enter) -> None:
    mira = await enter("mira", PHONE)
    await mira.call("fruit")
    found = mira.page.locator("#complete .suggestion .title")
    await expect(found).to_have_text(["apple", "apricot", "banana", "cherry"])
    await mira.option("name").press_sequentially("ap")
    await expect(found).to_have_text(["apple", "apricot"])
    await mira.seen.shot("autocomplete-phone")
    await mira.option("name").press("ArrowDown")
    await mira.option("name").press("Enter")
    await expect(mira.option("name")).to_have_value("apricot")
    await mira.option("weight").press_sequentially("much")
    await mira.page.locator("#complete", has_text="No suggestions").wait_for()
    await mira.page.keyboard.press("Escape")
    await mira.option("weight").press("Enter")
    await mira.page.locator(".field .error", has_text="write a number").wait_for()
    await mira.option("weight").fill("")
    await mira.page.locator("#complete .suggestion", has_text="heavy prunus").click()
    await mira.page.click("#command-options .primary")
    await mira.message("That is prunus of 300 grams.").wait_for()


@pytest.mark.usefixtures("bot")
async def test_menus_buttons_and_modals_work(enter: Enter) -> None:
    mira, jonas = await enter("mira"), await enter("jonas", PHONE)
    form = await mira.call("survey")
    await form.locator(".primary").click()
    card = jonas.message("A survey,")
    await card.locator("select").select_option("Autumn")
    await jonas.alone("You like Autumn.")
    await expect(mira.page.locator("#messages")).not_to_contain_text("You like")

    friends = mira.message("A survey").locator(".several")
    await friends.locator("summary").click()
    await expect(friends.get_by_role("button", name="Choose")).to_be_disabled()
    for name in ("mira", "jonas"):
        await friends.get_by_label(name).check()
    await mira.seen.shot("survey-desktop")
    await friends.get_by_role("button", name="Choose").click()
    await mira.alone("You like jonas and mira.")

    await card.get_by_role("button", name="Vote").click()
    await mira.message("A survey, 1 voted").wait_for()
    await expect(card.get_by_role("button", name="Not now")).to_be_disabled()
    await expect(card.get_by_role("link", name="Rules")).to_have_attribute("rel", "noopener noreferrer")

    await mira.message("A survey, 1 voted").get_by_role("button", name="Why?").click()
    dialog = mira.page.locator("#modal")
    await dialog.get_by_label("Reason").fill("Tea")
    await dialog.get_by_label("Reason").press("Enter")
    await dialog.locator(".error", has_text="5 characters").wait_for()
    await mira.seen.shot("modal-desktop")
    await dialog.get_by_label("Reason").fill("Tea time")
    await dialog.get_by_label("Details").fill("Every\nday")
    await dialog.get_by_role("button", name="Submit").click()
    await mira.alone("Because: Tea time. Every")
    await expect(dialog).to_be_hidden()

    await card.get_by_role("button", name="Colour").click()
    await jonas.page.locator("#modal").get_by_label("Colour").select_option("Green")
    await jonas.seen.shot("modal-phone")
    await jonas.page.locator("#modal").get_by_role("button", name="Submit").click()
    await jonas.alone("The colour is Green.")
    await jonas.seen.shot("survey-phone")


@pytest.mark.usefixtures("bot")
async def test_a_bot_that_thinks_is_seen_thinking_and_one_that_is_silent_is_told(enter: Enter, house: House) -> None:
    mira, jonas = await enter("mira"), await enter("jonas")
    await (await mira.call("slow")).locator(".primary").click()
    for chatter in (mira, jonas):
        await chatter.message("is thinking…").locator(".above", has_text="mira used /slow").wait_for()
    await mira.seen.shot("thinking-desktop")
    await jonas.say("go on")
    await jonas.message("Here I am.").wait_for()
    await mira.alone("And a word for you alone.")
    await expect(mira.page.locator(".thinking")).to_have_count(0)
    await expect(jonas.page.locator("#messages")).not_to_contain_text("you alone")

    await jonas.say("type, please")
    await mira.page.locator("#typing", has_text="Markov is typing…").wait_for()

    await (await mira.call("silent")).locator(".primary").click()
    await mira.message("mira used /silent").locator(".thinking").wait_for()
    await house.sim.advance(4)
    failed = mira.page.locator(".message.ephemeral", has_text="did not respond")
    await failed.locator(".dismiss").click()
    await expect(failed).to_have_count(0)


@pytest.mark.usefixtures("bot")
async def test_threads_are_started_found_and_written_in(enter: Enter, house: House) -> None:
    mira, jonas = await enter("mira"), await enter("jonas", PHONE)
    line = await mira.say("Which cups do we need?")
    await line.hover()
    await line.locator("[data-action=thread]").click()
    name = mira.page.locator("#modal").get_by_label("Name")
    await expect(name).to_have_value("Which cups do we need?")
    await name.fill("Cups")
    await name.press("Enter")
    await expect(mira.page.locator("#channel-name")).to_contain_text("Cups")
    await mira.say("The blue ones")
    await jonas.message("Which cups do we need?").locator(".thread-link", has_text="Cups").click()
    await jonas.message("The blue ones").wait_for()
    await jonas.say("Twelve of them")
    await mira.message("Twelve of them").wait_for()
    await mira.seen.shot("thread-desktop")
    await jonas.seen.shot("thread-phone")

    thread = next(c for c in (await house.sim.guild(house.guild))["channels"] if c["name"] == "Cups")
    assert thread["parent_id"] == house.channels["general"]
    await mira.page.click(f"[data-channel-id='{house.channels['general']}']")
    await house.sim.edit_channel(thread["id"], archived=True)
    await expect(mira.page.locator(f"[data-channel-id='{thread['id']}']")).to_have_count(0)

    await mira.say("thread, please")
    corner = mira.page.locator(".channel.thread", has_text="A quiet corner")
    await corner.click()
    await mira.message("Nobody hears us here.").wait_for()


@pytest.mark.usefixtures("bot")
async def test_everything_can_be_done_with_the_keyboard_alone(enter: Enter, house: House) -> None:
    mira, jonas = await enter("mira"), await enter("jonas")
    keys = mira.page.keyboard
    await expect(mira.composer).to_be_focused()
    await keys.type("First")
    await keys.press("Shift+Enter")
    await keys.type("and second line")
    await keys.press("Enter")
    await jonas.message("second line").wait_for()
    await jonas.say("A question?")
    await mira.message("A question?").wait_for()

    await keys.press("Escape")  # from writing to the newest message
    await expect(mira.message("A question?")).to_be_focused()
    await keys.press("r")
    await keys.type("An answer")
    await keys.press("Enter")
    await jonas.message("An answer").locator(".above").wait_for()
    await keys.press("Escape")
    await keys.press("e")
    await keys.type(", indeed")
    await keys.press("Enter")
    await jonas.message("An answer, indeed").wait_for()
    await keys.press("Escape")
    await keys.press("Home")
    await keys.press("Delete")
    await expect(jonas.page.locator("#messages")).not_to_contain_text("second line")

    await keys.press("Escape")
    await expect(mira.composer).to_be_focused()
    await keys.type("/survey")
    await keys.press("Enter")
    await expect(mira.page.locator("#command-options .primary")).to_be_focused()
    await keys.press("Enter")
    await mira.message("A survey").wait_for()
    await keys.press("Escape")
    await expect(mira.message("A survey")).to_be_focused()
    vote = mira.message("A survey").get_by_role("button", name="Vote")
    for _ in range(12):
        if await vote.evaluate("node => node === document.activeElement"):
            break
        await keys.press("Tab")
    await keys.press("Enter")
    await mira.message("A survey, 1 voted").wait_for()
    await expect(vote).to_be_focused()

    await keys.press("Alt+ArrowDown")
    await expect(mira.page.locator("#channel-name")).to_contain_text("kitchen")
    await keys.press("Control+/")
    await mira.seen.shot("help-desktop")
    await expect(mira.page.locator("#help")).to_be_visible()
    await keys.press("Escape")
    await expect(mira.page.locator("#help")).to_be_hidden()
    await mira.page.reload()
    await expect(mira.composer).to_be_focused()
    await keys.press("Shift+Tab")
    await keys.press("Enter")  # the button beside the line opens the choice of files
    await expect(mira.page.locator("#channel-name")).to_contain_text("kitchen")


async def test_a_long_history_is_paged_and_the_place_kept(enter: Enter, house: House) -> None:
    await house.sim.generate_history(house.channels["cellar"], 5_000_000, days=700)
    visitor = await enter("mira", channel="general")
    page = visitor.page
    await page.click(f"[data-channel-id='{house.channels['cellar']}']")
    rows = page.locator("#messages .message")
    await expect(rows).to_have_count(50)
    kept = page.locator(f"[data-message-id='{await rows.nth(5).get_attribute('data-message-id')}']")
    top = "node => node.getBoundingClientRect().top"
    await page.locator("#scroller").evaluate("(node, by) => { node.scrollTop += by }", await kept.evaluate(top) - 300)
    before = await kept.evaluate(top)
    await expect(rows).not_to_have_count(50)
    assert await kept.evaluate(top) == pytest.approx(before, abs=2)
    await house.sim.send_message(house.channels["cellar"], house.members["jonas"], "Look down here")
    await page.locator("#jump").click()
    await expect(visitor.message("Look down here")).to_be_in_viewport()


async def test_a_lost_connection_is_said_and_what_was_missed_fetched(visit: Visits) -> None:
    async with stand_in() as first, SimClient(first.public_url) as sim:
        house = await House.build(sim)
        mira = Chatter(await visit(f"{first.public_url}/", DESKTOP, "dark", at=house.place("mira")))
        await mira.say("Before")
        await mira.page.context.set_offline(True)
        for view in list(first.live._views.values()):
            for queue in view:
                queue.put_nowait(None)
        await mira.page.locator("#connection").wait_for()
        await sim.send_message(house.channels["general"], house.members["jonas"], "While you were away")
        await mira.composer.fill("Not lost")
        await mira.composer.press("Enter")
        await mira.page.locator("#notice.bad", has_text="cannot be reached").wait_for()
        await mira.seen.shot("offline-desktop")
        await expect(mira.composer).to_have_value("Not lost")
        await mira.page.context.set_offline(False)
        await mira.message("While you were away").wait_for()
        await expect(mira.page.locator("#connection")).to_be_hidden()
        await mira.composer.press("Enter")
        await mira.message("Not lost").wait_for()
