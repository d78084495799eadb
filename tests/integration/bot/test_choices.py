"""`/listen` and `/autorespond`: choosing channels by options, by a menu, and what stands in the way."""

import asyncio

import pytest

from discord_sim import permissions
from discord_sim.places import NewChannel
from discord_sim.state import Message
from tests.integration.bot.conftest import IGNORED
from tests.integration.bot.harness import Bot, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = pytest.mark.parametrize("kind", ["listen", "autorespond"])


def menu_of(message: Message) -> tuple[str, list[tuple[str, bool]]]:
    """A message's select menu: its custom ID, and each option's value and whether it is preset."""
    menu = message.components[0]["components"][0]
    return menu["custom_id"], [(option["value"], option.get("default", False)) for option in menu["options"]]


def buttons_of(message: Message) -> list[str]:
    rows = message.components[1:] if message.components[0]["components"][0]["type"] == 3 else message.components
    return [button["custom_id"] for row in rows for button in row["components"] if not button.get("disabled")]


async def listed(server: Server, kind: str) -> str:
    return (await server.use(f"{kind} list")).text


@KINDS
async def test_channels_are_added_listed_and_removed(bot: Bot, kind: str) -> None:
    server = bot.guild()
    assert "no channel yet" in await listed(server, kind)
    seen = await server.use(f"{kind} add", by="mira", **server.channels("general", "side"))
    assert not seen.private
    ids = [server.channel(name).id for name in ("general", "side")]
    assert all(f"<#{channel}>" in seen.text for channel in ids)
    text = await listed(server, kind)
    assert all(f"<#{channel}>" in text for channel in ids)
    assert f"<#{ids[0]}>" in (await server.use(f"{kind} remove", by="mira", **server.channels("general"))).text
    assert f"<#{ids[0]}>" not in await listed(server, kind)
    assert f"<#{ids[1]}>" in await listed(server, kind)


@KINDS
async def test_twenty_five_channels_at_once(bot: Bot, kind: str) -> None:
    names = [f"channel-{number}" for number in range(25)]
    server = bot.guild(*names)
    seen = await server.use(f"{kind} add", by="mira", at=names[0], **server.channels(*names))
    assert seen.text.count("<#") == 25
    assert (await server.use(f"{kind} list", at=names[0])).text.count("<#") == 25


@KINDS
async def test_more_channels_than_a_message_holds_are_listed_in_part(bot: Bot, kind: str) -> None:
    names = [f"channel-{number:03}" for number in range(100)]
    server = bot.guild(*names)
    for first in range(0, 100, 25):
        await server.use(f"{kind} add", by="mira", at=names[0], **server.channels(*names[first : first + 25]))
    if kind == "autorespond":
        async with bot.database.connection() as connection:
            await connection.execute("UPDATE channels SET autorespond_chance = 12.34 WHERE guild_id = $1", server.id)
        intake = bot.service.hosting.intake_of(server.id)
        assert intake is not None
        (await intake.directory(server.id)).set_chance(server.guild.channels, 12.34)
    text = (await server.use(f"{kind} list", at=names[0])).text
    shown = text.count("<#")
    assert len(text) <= 2000
    assert shown >= 40
    assert f"and {100 - shown} more; `/{kind} modify` shows them all" in text
    if kind == "autorespond":
        assert text.count("12.34% of them") == shown


async def test_twenty_five_channels_that_not_everybody_sees_are_asked_about_at_once(bot: Bot) -> None:
    names = [f"hidden-{number}" for number in range(25)]
    server = bot.guild("general", *names)
    for name in names:
        server.deny(name, permissions.VIEW_CHANNEL, who=server.id)
        server.allow(name, permissions.VIEW_CHANNEL)
    question = (await server.use("listen add", by="mira", **server.channels(*names))).message
    assert question.content.count("<#") == 25
    assert (await server.press(question, "listen:yes")).text.count("<#") == 25
    assert (await listed(server, "listen")).count("<#") == 25
    gone = await server.use("listen remove", by="mira", **server.channels(*names))
    assert gone.text.count("<#") == 25
    server.deny("general", permissions.VIEW_CHANNEL)
    for name in names:
        server.deny(name, permissions.VIEW_CHANNEL)
    refused = await server.use("listen add", by="mira", **server.channels(*names))
    assert refused.text.count("View Channel") >= 1
    assert all(str(server.channel(name).id) in refused.text for name in names), "each is named"


@KINDS
async def test_a_channel_that_is_gone_can_be_taken_out(bot: Bot, kind: str) -> None:
    server = bot.guild("general", "doomed")
    await server.use(f"{kind} add", by="mira", **server.channels("doomed", "general"))
    gone = server.channel("doomed").id
    using = asyncio.ensure_future(server.use(f"{kind} remove", by="mira", **server.channels("doomed")))
    await asyncio.sleep(0)  # the command is on its way
    bot.sim.places.delete_channel(server.channel("doomed"))
    assert f"<#{gone}>" in (await using).text
    assert (await listed(server, kind)).count("<#") == 1


@KINDS
@pytest.mark.parametrize("action", ["add", "remove", "modify"])
async def test_only_moderators_may_choose(bot: Bot, kind: str, action: str) -> None:
    server = bot.guild()
    options = {} if action == "modify" else server.channels("general")
    seen = await server.use(f"{kind} {action}", by="jonas", **options)
    assert seen.private
    assert "Only moderators" in seen.text
    assert "no channel yet" in await listed(server, kind)


@pytest.mark.parametrize("bit", [permissions.ADMINISTRATOR, permissions.MANAGE_CHANNELS, 1 << 1, 1 << 24])
async def test_each_moderating_permission_is_enough(bot: Bot, bit: int) -> None:
    server = bot.guild()
    server.role("Staff", "aiko", permissions_=bit)
    assert not (await server.use("listen add", by="aiko", **server.channels("general"))).private


async def test_a_channel_that_is_unknown_is_named(bot: Bot) -> None:
    server = bot.guild("general", "doomed")
    gone = server.channel("doomed")
    using = asyncio.ensure_future(server.use("listen add", by="mira", **server.channels("doomed", "general")))
    await asyncio.sleep(0)  # the command is on its way
    bot.sim.places.delete_channel(gone)
    assert f"There is no channel <#{gone.id}>" in (await using).text
    assert (await listed(server, "listen")).count("<#") == 1


async def test_a_channel_the_bot_may_not_read_is_refused_in_words(bot: Bot) -> None:
    server = bot.guild("general", "hidden", "mute")
    server.deny("hidden", permissions.VIEW_CHANNEL)
    server.deny("mute", permissions.READ_MESSAGE_HISTORY)
    seen = await server.use("listen add", by="mira", **server.channels("hidden", "mute", "general"))
    assert "View Channel" in seen.text
    assert "Read Message History" in seen.text
    assert (await listed(server, "listen")).count("<#") == 1


async def test_a_channel_the_bot_may_not_write_in_is_refused_in_words(bot: Bot) -> None:
    server = bot.guild("general", "mute")
    server.deny("mute", permissions.SEND_MESSAGES)
    seen = await server.use("autorespond add", by="mira", **server.channels("mute"))
    assert "Send Messages" in seen.text
    assert "no channel yet" in await listed(server, "autorespond")


async def test_a_channel_that_the_operator_excludes_is_refused(strict_bot: Bot) -> None:
    server = strict_bot.guild("general", NewChannel("secret", id=IGNORED))
    seen = await server.use("listen add", by="mira", **server.channels("secret"))
    assert "operator has excluded it" in seen.text
    assert "no channel yet" in await listed(server, "listen")


async def test_a_channel_that_not_everybody_sees_is_asked_about_first(bot: Bot) -> None:
    server = bot.guild("general", "council", "cellar")
    for name in ("council", "cellar"):
        server.deny(name, permissions.VIEW_CHANNEL, who=server.id)
        server.allow(name, permissions.VIEW_CHANNEL)
    seen = await server.use("listen add", by="mira", more=1, **server.channels("general", "council", "cellar"))
    question = seen.more[0]
    assert "heard in other channels" in question.content
    assert (await listed(server, "listen")).count("<#") == 1
    yes, no = buttons_of(question)
    assert "Left as it was" in (await server.press(question, no)).text
    assert (await listed(server, "listen")).count("<#") == 1
    question = (await server.use("listen add", by="mira", **server.channels("council", "cellar"))).message
    refused = await server.press(question, yes, by="jonas")
    assert "Only moderators" in refused.text
    assert (await server.press(question, yes)).text.count("<#") == 2
    assert (await listed(server, "listen")).count("<#") == 3


@KINDS
async def test_the_menu_is_preset_and_changes_what_it_shows(bot: Bot, kind: str) -> None:
    server = bot.guild("one", "two", "three")
    ids = {name: str(server.channel(name).id) for name in ("one", "two", "three")}
    await server.use(f"{kind} add", by="mira", at="one", **server.channels("one"))
    seen = await server.use(f"{kind} modify", by="mira", at="one")
    assert seen.private
    custom_id, options = menu_of(seen.message)
    assert options == [(ids["one"], True), (ids["two"], False), (ids["three"], False)]
    chosen = await server.press(seen.message, custom_id, values=[ids["two"], ids["three"]])
    assert menu_of(chosen.message)[1] == [(ids["one"], False), (ids["two"], True), (ids["three"], True)]
    text = (await server.use(f"{kind} list", at="one")).text
    assert f"<#{ids['one']}>" not in text
    assert f"<#{ids['two']}>" in text
    refused = await server.press(seen.message, custom_id, by="jonas", values=[])
    assert "Only moderators" in refused.text
    await server.press(seen.message, custom_id, values=[])
    assert "no channel yet" in (await server.use(f"{kind} list", at="one")).text


async def test_a_guild_of_many_channels_is_chosen_from_in_pages(bot: Bot) -> None:
    names = [f"channel-{number:02}" for number in range(60)]
    server = bot.guild(*names)
    await server.use("listen add", by="mira", at=names[0], **server.channels(names[0], names[59]))
    seen = await server.use("listen modify", by="mira", at=names[0])
    assert "Page 1 of 3" in seen.text
    assert buttons_of(seen.message) == ["listen:page:1"]
    second = await server.press(seen.message, "listen:page:1")
    assert "Page 2 of 3" in second.text
    custom_id, options = menu_of(second.message)
    assert len(options) == 25
    await server.press(second.message, custom_id, values=[options[0][0]])
    third = await server.press(seen.message, "listen:page:2")
    assert [preset for _, preset in menu_of(third.message)[1]] == [False] * 9 + [True]
    text = (await server.use("listen list", at=names[0])).text
    assert text.count("<#") == 3, "what other pages show was left alone"


async def test_a_hidden_channel_chosen_in_the_menu_is_asked_about_too(bot: Bot) -> None:
    server = bot.guild("general", "council")
    server.deny("council", permissions.VIEW_CHANNEL, who=server.id)
    server.allow("council", permissions.VIEW_CHANNEL)
    seen = await server.use("listen modify", by="mira")
    custom_id, options = menu_of(seen.message)
    chosen = await server.press(seen.message, custom_id, values=[value for value, _ in options], more=1)
    question = chosen.more[0]
    assert "heard in other channels" in question.content
    assert (await listed(server, "listen")).count("<#") == 1
    await server.press(question, "listen:yes")
    assert (await listed(server, "listen")).count("<#") == 2


async def test_the_chance_is_set_per_channel_and_shown(bot: Bot) -> None:
    server = bot.guild()
    seen = await server.use("autorespond chance", by="mira", percent=0.01, channel=server.channel("side").id)
    assert "0.01%" in seen.text
    assert "/autorespond add" in seen.text
    await server.use("autorespond add", by="mira", **server.channels("general", "side"))
    assert "12.5%" in (await server.use("autorespond chance", by="mira", percent=12.5)).text
    text = await listed(server, "autorespond")
    assert "0.01% of them" in text
    assert "12.5% of them" in text
    refused = await server.use("autorespond chance", by="jonas", percent=50.0)
    assert "Only moderators" in refused.text


async def test_choices_survive_the_process(bot: Bot) -> None:
    server = bot.guild()
    await server.use("listen add", by="mira", **server.channels("general"))
    await server.use("autorespond chance", by="mira", percent=7.25)
    await server.use("autorespond add", by="mira", **server.channels("general"))
    async with bot.database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM channels WHERE guild_id = $1", server.id)
    assert (row["listen"], row["autorespond"], float(row["autorespond_chance"])) == (True, True, 7.25)
