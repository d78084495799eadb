"""Where members use the bot, and who they are there: direct messages, changed roles and owners, missing permissions."""

import asyncio

import pytest

from discord_sim import permissions, shapes
from discord_sim.chat import Draft
from discord_sim.interaction_shapes import COMMAND
from discord_sim.places import NewChannel
from discord_sim.state import Channel, Json, User
from markov_shard.training.compiling import compile_guild
from tests.integration.bot.conftest import OWNER, SPEAKERS
from tests.integration.bot.harness import DEMO_BOT_ID, Bot, Seen, Server, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = ("the cat sat on the mat", "the dog sat on the log", "the cat ran to the dog", "a dog ran on the mat")
ME = f"<@{DEMO_BOT_ID}>"
GUILD_COMMANDS = (
    "mark",
    "listen add",
    "listen remove",
    "listen list",
    "listen modify",
    "autorespond add",
    "autorespond remove",
    "autorespond list",
    "autorespond modify",
    "autorespond chance",
    "train",
    "train-status",
    "train-cancel",
    "forget me",
    "forget undo",
    "forget user",
    "forget channel",
    "forget server",
    "forget export",
    "stats",
)


async def taught(bot: Bot, *channels: str | NewChannel) -> Server:
    server = bot.guild(*channels)
    await server.listening(server.first)
    await server.learned(*LINES, channel=server.first)
    return server


# --- direct messages ----------------------------------------------------------------------------------------


def direct_with(bot: Bot, server: Server, name: str) -> tuple[Channel, User]:
    user = server.user(name)
    return bot.sim.world.dm_with(next(iter(bot.sim.world.applications.values())), user), user


async def used_directly(server: Server, channel: Channel, user: User, command: str) -> Seen:
    """Uses a command in a direct message though no client would offer it there, as one with an old list may."""
    sim = server.bot.sim
    application = next(iter(sim.world.applications.values()))
    first, *rest = command.split()
    known = next(c for c in application.commands[None].values() if c["name"] == first)
    general = server.channel("general")
    given: dict[int, object] = {6: str(user.id), 7: str(general.id), 10: 5.0}
    wanted = next((o for o in known.get("options") or () if rest and o["name"] == rest[0]), known).get("options") or ()
    options: list[Json] = [
        {"name": o["name"], "type": o["type"], "value": given[o["type"]]} for o in wanted if o.get("required")
    ]
    if rest:
        options = [{"name": rest[0], "type": 1, "options": options}]
    resolved = {
        "users": {str(user.id): shapes.user(user)},
        "channels": {str(general.id): sim.interactions.shapes.partial_channel(general, user.id)},
    }
    data = {"id": known["id"], "name": first, "type": 1, "options": options, "resolved": resolved}
    interaction = sim.interactions.begin(COMMAND, application, channel, user, data)
    await until(lambda: interaction.state in ("answered", "failed"), what=f"an answer to /{command}")
    assert interaction.state == "answered"
    return Seen(interaction)


@pytest.mark.parametrize("command", ["help", "invite"])
async def test_help_and_invite_are_offered_in_direct_messages(bot: Bot, command: str) -> None:
    channel, user = direct_with(bot, bot.guild(), "jonas")
    interaction = bot.acts.command(channel, user, command, {}, {})
    await until(lambda: interaction.state == "answered", what=f"an answer to /{command}")
    wanted = {"help": "I learn from the messages", "invite": "client_id="}[command]
    assert interaction.response is not None
    assert wanted in interaction.response.content


@pytest.mark.parametrize("command", GUILD_COMMANDS)
async def test_other_commands_are_not_offered_there_and_refuse_in_words(bot: Bot, command: str) -> None:
    server = bot.guild()
    channel, user = direct_with(bot, server, "jonas")
    with pytest.raises(ValueError, match="there is no command"):
        bot.acts.command(channel, user, command, {}, {})
    seen = await used_directly(server, channel, user, command)
    assert seen.private
    assert seen.text == "That only works in a server."


# --- who moderates ------------------------------------------------------------------------------------------


async def may_train(server: Server, name: str) -> bool:
    """Whether a member's `!mark train` is followed, as a message, which comes without permissions."""
    reply = await server.reply_to(server.write("!mark train", user=name))
    if "Only moderators" in reply.content:
        return False
    assert "Job" in reply.content or "teaching this server already" in reply.content or reply.embeds
    return True


@pytest.mark.parametrize("bit", [permissions.ADMINISTRATOR, permissions.MANAGE_CHANNELS, 1 << 1, 1 << 24])
async def test_each_moderating_permission_counts_for_messages_too(bot: Bot, bit: int) -> None:
    server = bot.guild()
    assert not await may_train(server, "aiko")
    server.role("Staff", "aiko", permissions_=bit)
    assert await may_train(server, "aiko")
    assert await may_train(server, "owner")
    assert not await may_train(server, "jonas")


async def test_a_role_that_is_deleted_or_weakened_moderates_no_longer(bot: Bot) -> None:
    server = bot.guild()
    staff = server.role("Staff", "aiko", permissions_=permissions.MANAGE_CHANNELS)
    helpers = server.role("Helpers", "jonas", permissions_=permissions.MANAGE_CHANNELS)
    assert await may_train(server, "aiko")
    bot.sim.roles.edit(server.guild, server.guild.roles[staff], permissions=0)
    bot.sim.roles.delete(server.guild, server.guild.roles[helpers])
    for name in ("aiko", "jonas"):
        assert not await may_train(server, name)
        refused = await server.use("listen add", by=name, **server.channels("general"))
        assert "Only moderators" in refused.text


async def test_a_role_that_everybody_has_may_moderate(bot: Bot) -> None:
    server = bot.guild()
    assert not await may_train(server, "jonas")
    everyone = server.guild.roles[server.id]
    bot.sim.roles.edit(server.guild, everyone, permissions=everyone.permissions | permissions.MANAGE_CHANNELS)
    assert await may_train(server, "jonas")


async def test_a_new_owner_moderates_and_the_old_one_no_longer(bot: Bot) -> None:
    server = bot.guild()
    assert await may_train(server, "owner")
    assert not await may_train(server, "jonas")
    old = server.guild.members[server.user("owner").id]
    for role_id in list(old.roles):
        bot.sim.roles.take(server.guild, old, role_id)
    bot.sim.places.give_guild(server.guild, server.user("jonas"))
    assert await may_train(server, "jonas")
    assert not await may_train(server, "owner")
    assert not (await server.use("listen add", by="jonas", **server.channels("general"))).private


async def test_the_bots_owners_may_change_everything(strict_bot: Bot) -> None:
    server = strict_bot.guild()
    server.member("boss", user_id=OWNER)
    assert not (await server.use("listen add", by="boss", **server.channels("general"))).private
    await server.learned(*LINES)
    asked = await server.use("forget server", by="boss")
    assert "Remove **everything**" in asked.text
    assert "Job" in (await server.reply_to(server.write("?say train", user="boss"))).content


async def test_a_role_may_make_the_bot_talk_by_messages_until_it_is_taken(strict_bot: Bot) -> None:
    server = strict_bot.guild()
    await server.listening()
    await server.learned(*LINES)
    member = server.guild.members[server.user("aiko").id]
    if SPEAKERS not in server.guild.roles:
        server.role("Speakers", role_id=SPEAKERS)
    strict_bot.sim.roles.give(server.guild, member, SPEAKERS)
    assert "another role" not in (await server.reply_to(server.write("?say", user="aiko"))).content
    strict_bot.sim.roles.take(server.guild, member, SPEAKERS)
    assert "another role" in (await server.reply_to(server.write("?say", user="aiko"))).content


# --- what the bot may do ------------------------------------------------------------------------------------


def refusals(bot: Bot, channel: Channel) -> int:
    """How often Discord said no in a channel."""
    rest = bot.sim.journal.since(0, "rest")
    return sum(entry["status"] == 403 and str(channel.id) in entry["path"] for entry in rest)


async def test_without_the_right_to_read_the_history_it_answers_without_quoting(bot: Bot) -> None:
    server = await taught(bot, "general", "short", "quiet")
    short = server.channel("short")
    server.deny("short", permissions.READ_MESSAGE_HISTORY)
    await server.passed()
    first = await server.reply_to(server.write(f"{ME} the cat", channel="short"))
    assert "Read Message History" in first.content, "said once, in words"
    for _ in range(3):
        reply = await server.reply_to(server.write(f"{ME} the dog", channel="short"))
        assert reply.reference is None
        assert "Read Message History" not in reply.content
    assert refusals(bot, short) == 1, "and tried once"
    server.allow("short", permissions.READ_MESSAGE_HISTORY)
    await server.passed()
    message = server.write(f"{ME} the cat", channel="short")
    assert (await server.reply_to(message)).reference == message.id, "until something changes"


async def test_in_a_thread_the_permission_that_is_missing_is_named(bot: Bot) -> None:
    server = await taught(bot, "general", "quiet")
    thread = server.thread("talk", "general")
    server.deny("general", permissions.SEND_MESSAGES_IN_THREADS)
    await server.passed()
    channel, _ = direct_with(bot, server, "jonas")

    def told() -> list[str]:
        return [message.content for message in channel.messages.page(50) if str(thread.id) in message.content]

    server.write(f"{ME} the cat", channel=thread.name)
    await until(told, what="a word about the permission")
    for _ in range(3):
        server.write(f"{ME} the cat", channel=thread.name)
    await server.passed()
    assert len(told()) == 1
    assert "**Send Messages in Threads**" in told()[0]
    assert refusals(bot, thread) == 1


async def test_autorespond_stays_silent_where_it_may_not_write_and_tries_once(bot: Bot) -> None:
    server = await taught(bot, "general", "side", "quiet")
    await server.use("autorespond add", by="mira", **server.channels("side"))
    server.deny("side", permissions.SEND_MESSAGES)
    await server.passed()
    for number in range(5):
        server.write(f"the cat {number}", channel="side")
        await server.passed()
    assert refusals(bot, server.channel("side")) == 1


async def test_commands_are_answered_where_the_bot_sees_nothing(bot: Bot) -> None:
    server = await taught(bot, "general", "hidden", "quiet")
    server.deny("hidden", permissions.VIEW_CHANNEL | permissions.SEND_MESSAGES)
    await server.passed()
    seen = await server.use("mark", at="hidden")
    assert set(seen.text.split()) <= set(" ".join(LINES).split()), "an interaction needs no permission of the bot"
    assert refusals(bot, server.channel("hidden")) == 0


async def test_the_menu_refuses_a_channel_without_a_permission_in_words(bot: Bot) -> None:
    server = bot.guild("general", "hidden")
    server.deny("hidden", permissions.VIEW_CHANNEL)
    seen = await server.use("listen modify", by="mira")
    menu = seen.message.components[0]["components"][0]
    values = [option["value"] for option in menu["options"]]
    chosen = await server.press(seen.message, menu["custom_id"], values=values)
    assert "**View Channel** is missing" in chosen.text
    assert (await server.use("listen list")).text.count("<#") == 1


# --- threads ------------------------------------------------------------------------------------------------


async def test_a_thread_that_was_archived_when_the_bot_came_is_learned_from_again(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    old = NewChannel("old", type=11, parent_id=server.channel("general").id)
    thread = bot.sim.places.add_channel(server.guild, old, dispatch=False)
    thread.archived = True
    bot.sim.places.archive(server.guild, thread, archived=False)
    await server.learned("words in an old thread", channel="old")


async def test_a_thread_of_an_age_restricted_channel_is_as_restricted(bot: Bot) -> None:
    server = bot.guild("general", NewChannel("dark", nsfw=True))
    await server.listening()
    await server.learned(*LINES)
    thread = server.thread("night", "dark")
    night = ("grim cats prowl by night", "grim dogs howl by night", "grim owls prowl at night")
    await server.learned(*night, channel=thread.name)
    assert not (await server.use("mark", seed="grim")).text.startswith("grim")
    assert (await server.use("mark", at=thread.name, seed="grim")).text.startswith("grim")
    assert (await server.use("mark", at="dark", seed="grim")).text.startswith("grim")


@pytest.mark.parametrize("compiled", [True, False])
async def test_what_was_said_before_a_channel_became_age_restricted_stays_there_too(bot: Bot, compiled: bool) -> None:
    server = bot.guild("general", "dark")
    await server.listening()
    thread = server.thread("night", "dark")
    await server.learned(*LINES)
    night = ("grim cats prowl by night", "grim dogs howl by night", "grim owls prowl at night")
    await server.learned(*night[:2], channel="dark")
    await server.learned(night[2], channel=thread.name)
    if compiled:
        await compile_guild(bot.database, server.id, state_size=2)
        await bot.service.guilds.refresh(server.id)
    assert (await server.use("mark", seed="grim")).text.startswith("grim")
    dark = server.channel("dark")
    dark.nsfw = True
    bot.sim.places.changed_channel(server.guild, dark)
    await server.passed()
    async with asyncio.timeout(20):
        while not all(row["nsfw"] for row in await server.rows(channel_id=thread.id)):
            await asyncio.sleep(0.005)
    assert len(await server.rows()) == len(LINES) + len(night)
    for _ in range(10):
        assert not {"grim", "night"} & set((await server.use("mark", seed="grim")).text.split())
    assert (await server.use("mark", at="dark", seed="grim")).text.startswith("grim")
    await bot.service.guilds.refresh(server.id)  # as another process opens it
    assert not (await server.use("mark", seed="grim")).text.startswith("grim")
    assert (await server.use("mark", at="dark", seed="grim")).text.startswith("grim")
    dark.nsfw = False
    bot.sim.places.changed_channel(server.guild, dark)
    await server.passed()
    assert not (await server.use("mark", seed="grim")).text.startswith("grim"), "what was restricted stays so"
    await server.learned("pale cats sleep by day", "pale dogs sleep at day", "pale owls sleep by day", channel="dark")
    assert (await server.use("mark", seed="pale")).text.startswith("pale")


async def test_a_bot_that_answers_a_bot_would_never_stop(bot: Bot) -> None:
    server = await taught(bot, "general", "quiet")
    await server.use("autorespond add", by="mira", **server.channels("general"))
    reply = await server.reply_to(server.write("the cat"))
    robot = bot.sim.world.add_user("parrot", bot=True)
    echoed = bot.sim.chat.post(server.channel("general"), robot, Draft(f"{ME} {reply.content}", reply_to=reply.id))
    assert await server.is_ignored(echoed)
