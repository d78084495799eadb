"""Messages that the bot answers: mentions, commands with the prefix, ordinary ones where it is asked to."""

import pytest

from discord_sim import DEMO_BOT_ID, permissions
from discord_sim.chat import Draft
from discord_sim.places import NewChannel
from markov_shard.bot.responder import dice
from tests.integration.bot.conftest import RESPONSES
from tests.integration.bot.harness import Bot, Server, links, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = ("the cat sat on the mat", "the dog sat on the log", "the cat ran to the dog", "a dog ran on the mat")
ME = f"<@{DEMO_BOT_ID}>"


async def taught(bot: Bot, *channels: str | NewChannel) -> Server:
    server = bot.guild(*channels)
    await server.listening(server.first)
    await server.learned(*LINES, channel=server.first)
    return server


async def test_a_mention_is_answered_with_the_message_as_prompt(bot: Bot) -> None:
    server = await taught(bot)
    message = server.write(f"{ME} a dog")
    reply = await server.reply_to(message)
    assert reply.content != "a dog", "no parrot"
    assert reply.reference == message.id
    assert not reply.mentions


async def test_only_what_is_answered_hurries_the_gateway(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await taught(bot)
    owed: list[bool] = []
    monkeypatch.setattr(bot.service.reply_clock, "owe", lambda: owed.append(True))
    await server.stored(server.write("the cat sat on the log"))
    assert not owed
    await server.reply_to(server.write(f"{ME} a dog"))
    assert owed == [True]
    await server.use("mark")
    assert owed == [True, True]


async def test_an_answer_to_the_bots_own_message_is_a_mention_too(bot: Bot) -> None:
    server = await taught(bot)
    reply = await server.reply_to(server.write(f"{ME} hello"))
    again = bot.sim.chat.post(server.channel("general"), server.user("aiko"), Draft("the cat", reply_to=reply.id))
    assert (await server.reply_to(again)).content


async def test_mentions_are_answered_in_the_response_channels_only(strict_bot: Bot) -> None:
    server = strict_bot.guild("general", NewChannel("responses", id=RESPONSES))
    thread = strict_bot.sim.places.add_channel(
        server.guild, NewChannel("thread", type=11, parent_id=RESPONSES, owner_id=server.user("mira").id)
    )
    elsewhere = server.write(f"{ME} hello", user="mira")
    assert (await server.reply_to(server.write(f"{ME} hello", user="mira", channel="responses"))).content
    assert (await server.reply_to(server.write(f"{ME} hello", user="mira", channel=thread.name))).content
    assert server.answer_to(elsewhere) is None


async def test_a_mention_by_a_member_without_the_role_is_refused_in_words(strict_bot: Bot) -> None:
    server = strict_bot.guild()
    reply = await server.reply_to(server.write("?say something", user="jonas"))
    assert "another role" in reply.content


@pytest.mark.parametrize("text", ["!mark", "!MARK", "!mark the cat", "!mark\nthe cat"])
async def test_the_prefix_answers(bot: Bot, text: str) -> None:
    server = await taught(bot)
    reply = await server.reply_to(server.write(text))
    assert set(reply.content.split()) <= set(" ".join(LINES).split())


async def test_what_only_begins_like_the_prefix_is_an_ordinary_message(bot: Bot) -> None:
    server = await taught(bot)
    message = server.write("!marking my words")
    assert await server.is_ignored(message)
    await server.stored(message)


async def test_commands_with_the_prefix_are_not_learned(bot: Bot) -> None:
    server = await taught(bot)
    await server.reply_to(server.write("!mark secret words"))
    await server.learned("a later message")
    assert len(await server.rows()) == len(LINES) + 1


async def test_prefix_debug_and_tts(bot: Bot) -> None:
    server = await taught(bot)
    message = server.write("!mark debug the cat")
    assert (await server.reply_to(message)).content.startswith("the cat")
    shown = await server.reply_to(message, part="d")
    assert "score" in shown.content
    assert links(shown.content)
    assert (await server.reply_to(server.write("!mark tts"))).tts
    assert (await server.reply_to(server.write("!mark tts debug the dog"))).content.startswith("the dog")


async def test_prefix_help_and_invite(bot: Bot) -> None:
    server = bot.guild()
    assert "`/mark`" in (await server.reply_to(server.write("!mark help"))).content
    assert f"client_id={DEMO_BOT_ID}" in (await server.reply_to(server.write("!mark invite"))).content


async def test_without_anything_learned_a_mention_is_told_what_to_do(bot: Bot) -> None:
    server = bot.guild()
    assert "/listen add" in (await server.reply_to(server.write(f"{ME} hello"))).content


async def test_autorespond_answers_ordinary_messages_without_quoting(bot: Bot) -> None:
    server = await taught(bot, "general", "side", "quiet")
    await server.use("autorespond add", by="mira", **server.channels("side"))
    reply = await server.reply_to(server.write("a dog", channel="side"))
    assert reply.content
    assert reply.reference is None
    assert await server.is_ignored(server.write("a dog", channel="general"))


async def test_autorespond_has_nothing_to_say_and_says_nothing(bot: Bot) -> None:
    server = bot.guild()
    await server.use("autorespond add", by="mira", **server.channels("general"))
    assert await server.is_ignored(server.write("hello there"))


async def test_the_chance_decides_by_the_message_alone(bot: Bot) -> None:
    server = await taught(bot, "general", "quiet")
    await server.use("autorespond add", by="mira", **server.channels("general"))
    await server.use("autorespond chance", by="mira", percent=40.0)
    sent = [server.write(f"message number {number}") for number in range(30)]
    await server.passed()
    chosen = [message for message in sent if dice(message.id) < 40]
    for message in chosen:
        await server.reply_to(message)
    assert [m.id for m in sent if server.answer_to(m)] == [m.id for m in chosen]
    assert 0 < len(chosen) < 30


async def test_bots_and_webhooks_are_never_answered(bot: Bot) -> None:
    server = await taught(bot, "general", "quiet")
    await server.use("autorespond add", by="mira", **server.channels("general"))
    robot = bot.sim.world.add_user("other-bot", bot=True)
    said = [
        bot.sim.chat.post(server.channel("general"), robot, Draft(f"{ME} hello")),
        bot.sim.chat.post(server.channel("general"), server.user("jonas"), Draft(f"{ME} hello", webhook_id=5)),
        bot.sim.chat.post(server.channel("general"), server.user("jonas"), Draft("pinned", type=6)),
    ]
    await server.passed()
    assert not [message for message in said if server.answer_to(message)]


async def test_a_direct_message_is_told_where_the_bot_talks(bot: Bot) -> None:
    application = next(iter(bot.sim.world.applications.values()))
    server = bot.guild()
    direct = bot.sim.world.dm_with(application, server.user("jonas"))
    message = bot.sim.chat.post(direct, server.user("jonas"), Draft("hello bot"))
    assert "only talk in servers" in (await server.reply_to(message)).content


async def test_a_missing_permission_to_write_is_told_once_and_not_tried_again(bot: Bot) -> None:
    server = await taught(bot, "general", "mute", "quiet")
    server.deny("mute", permissions.SEND_MESSAGES)
    await server.passed()
    mute = str(server.channel("mute").id)
    application = next(iter(bot.sim.world.applications.values()))
    direct = bot.sim.world.dm_with(application, server.user("jonas"))

    def told() -> list[str]:
        return [message.content for message in direct.messages.page(50) if mute in message.content]

    server.write(f"{ME} hello", channel="mute")
    await until(told, what="a word about the permission")
    for _ in range(5):
        server.write(f"{ME} hello", channel="mute")
    await server.passed()
    assert len(told()) == 1
    assert "Send Messages" in told()[0]
    refused = [e for e in bot.sim.journal.since(0, "rest") if e["status"] == 403 and mute in e["path"]]
    assert len(refused) == 1
    server.allow("mute", permissions.SEND_MESSAGES)
    assert (await server.reply_to(server.write(f"{ME} hello", channel="mute"))).content


async def test_without_the_right_to_attach_files_the_words_come_with_a_link(limited_bot: Bot) -> None:
    server = limited_bot.guild("general", "side")
    await server.listening()
    sent = server.write("look at my picture", files=[("cat.png", b"\x89PNG a cat")])
    await server.stored(sent)
    await server.learned("look at the sky", "my picture is old")
    server.deny("side", permissions.ATTACH_FILES)
    reply = await server.reply_to(server.write(f"{ME} look", channel="side"))
    assert "cat.png" in reply.content
    assert "Attach Files" in reply.content
    again = await server.reply_to(server.write(f"{ME} look", channel="side", user="aiko"))
    assert "Attach Files" not in again.content, "said once"


async def test_an_answer_carries_an_attachment_of_the_guild(limited_bot: Bot) -> None:
    server = limited_bot.guild("general", "side")
    await server.listening()
    await server.stored(server.write("look at my picture", files=[("cat.png", b"\x89PNG a cat")]))
    await server.learned("look at the sky", "my picture is old")
    before = attachments_timed(limited_bot)
    reply = await server.reply_to(server.write(f"{ME} look", user="owner"))
    assert [attachment.filename for attachment in reply.attachments] == ["cat.png"]
    seen = await server.use("mark", by="mira")
    assert [attachment.filename for attachment in seen.message.attachments] == ["cat.png"]
    assert attachments_timed(limited_bot) == (before[0] + 2, before[1] + 2), "by themselves, not as the reply's time"


def attachments_timed(bot: Bot) -> tuple[float, float]:
    """How many URLs were had, and files downloaded."""
    value = bot.service.metrics.registry.get_sample_value
    url, file = (value("markov_attachment_seconds_count", {"stage": stage}) for stage in ("url", "file"))
    return url or 0.0, file or 0.0


async def test_pictures_of_age_restricted_channels_stay_there(limited_bot: Bot) -> None:
    server = limited_bot.guild("general", NewChannel("dark", nsfw=True))
    await server.listening()
    await server.stored(server.write("look at me", channel="dark", files=[("night.png", b"\x89PNG night")]))
    await server.learned("look at the sky", "the sky looks at me")
    assert not (await server.use("mark", by="mira")).message.attachments
    assert (await server.use("mark", by="mira", at="dark")).message.attachments
