"""What is learned and unlearned, as messages come, change and go."""

import asyncio

import pytest

from discord_sim.chat import Draft
from discord_sim.places import NewChannel
from discord_sim.state import Message
from markov_shard.ownership.runner import OwnedShard
from markov_shard.shared.sessions import Sessions
from markov_shard.store.epochs import take_epoch
from tests.integration.bot.conftest import IGNORED, MakeBot
from tests.integration.bot.harness import PATIENCE, Bot, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def contents(server: Server) -> list[str]:
    return sorted(row["content"] for row in await server.rows())


async def becomes(server: Server, *wanted: str) -> None:
    """Waits until exactly these texts are stored."""
    async with asyncio.timeout(PATIENCE):
        while await contents(server) != sorted(wanted):
            await server.bot.settle()
            await asyncio.sleep(0.003)


async def test_only_people_in_listened_channels_and_their_threads_are_learned(bot: Bot) -> None:
    server = bot.guild("general", "side", "private")
    await server.listening("general")
    thread = bot.sim.places.add_channel(
        server.guild, NewChannel("talk", type=11, parent_id=server.channel("general").id)
    )
    elsewhere = bot.sim.places.add_channel(
        server.guild, NewChannel("far", type=11, parent_id=server.channel("side").id)
    )
    robot = bot.sim.world.add_user("robot", bot=True)
    general = server.channel("general")
    server.write("not in side", channel="side")
    server.write("nor in its thread", channel=elsewhere.name)
    bot.sim.chat.post(general, robot, Draft("nor a robot"))
    bot.sim.chat.post(general, server.user("jonas"), Draft("nor a webhook", webhook_id=7))
    bot.sim.chat.post(general, server.user("jonas"), Draft("nor a system message", type=7))
    server.write("   ", channel="general", files=[("only.png", b"x")])
    server.write("a thread counts", channel=thread.name)
    await server.learned("a channel counts")
    await becomes(server, "a channel counts", "a thread counts")


async def test_edits_replace_and_deletions_unlearn(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    first, second, third, fourth, _ = await server.learned("one fish", "two fish", "red fish", "blue fish", "old fish")
    general = server.channel("general")
    bot.sim.chat.edit(general, first, {"content": "one bird"})
    bot.sim.chat.delete(general, second.id)
    bot.sim.chat.bulk_delete(general, [third.id, fourth.id])
    await becomes(server, "one bird", "old fish")
    text = " ".join([(await server.use("mark")).text for _ in range(5)])
    assert not {"two", "red", "blue"} & set(text.split())


async def test_an_embed_that_is_added_later_is_no_edit(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    message = (await server.learned("look at https://example.org now"))[0]
    bot.sim.chat.unfurl(server.channel("general"), message, [{"title": "Example"}], partial=True)
    await server.learned("something later")
    await becomes(server, "look at https://example.org now", "something later")


async def test_deleted_threads_and_channels_are_unlearned(bot: Bot) -> None:
    server = bot.guild("general", "doomed", "side")
    await server.listening()
    doomed = server.channel("doomed")
    kept, gone, under = (
        server.thread(*names) for names in (("kept", "general"), ("gone", "general"), ("under", "doomed"))
    )
    for channel in (kept, gone, under, doomed):
        await server.learned(f"words in {channel.name}", channel=channel.name)
    bot.sim.places.delete_channel(gone)
    await becomes(server, "words in doomed", "words in kept", "words in under")
    bot.sim.places.delete_channel(doomed)
    await becomes(server, "words in kept")
    assert str(doomed.id) not in (await server.use("listen list")).text


async def test_ignored_channels_are_never_stored_whatever_was_set_before(strict_bot: Bot) -> None:
    server = strict_bot.guild("general", NewChannel("secret", id=IGNORED), "side")
    await server.listening("general")
    async with strict_bot.database.connection() as connection:  # chosen before the operator excluded it
        await connection.execute(
            "INSERT INTO channels (guild_id, channel_id, listen) VALUES ($1, $2, true)", server.id, IGNORED
        )
    intake = strict_bot.service.hosting.intake_of(server.id)
    assert intake is not None
    (await intake.directory(server.id)).set_listened([IGNORED], listen=True)
    server.write("a secret", channel="secret")
    await server.learned("no secret")
    await becomes(server, "no secret")


async def test_the_oldest_messages_go_when_there_are_too_many(limited_bot: Bot) -> None:
    server = limited_bot.guild()
    await server.listening()
    await server.learned(*(f"message number {number}" for number in range(8)))
    assert await limited_bot.service.upkeep.keep_within(server.id) == 3
    assert await contents(server) == [f"message number {number}" for number in range(3, 8)]
    assert await limited_bot.service.upkeep.keep_within(server.id) == 0


async def test_messages_past_their_time_go(limited_bot: Bot) -> None:
    server = limited_bot.guild()
    await server.listening()
    old = limited_bot.sim.world.ids.next() - (31 * 86_400_000 << 22)
    server.write("an old message", message_id=old)
    await server.learned("a new message")
    await becomes(server, "a new message", "an old message")
    assert await limited_bot.service.upkeep.keep_within(server.id) == 1
    assert await contents(server) == ["a new message"]


async def test_stats_show_what_was_learned(bot: Bot) -> None:
    server = bot.guild()
    empty = await server.use("stats")
    assert empty.private
    assert "learned nothing here yet" in empty.text
    await server.listening()
    await server.learned("one fish two fish", "red fish blue fish")
    text = (await server.use("stats")).text
    for wanted in ("learned:** 2", "Vocabulary:** 5 different", "Size:**", "Since:** <t:"):
        assert wanted in text


async def test_invite_and_help_answer_privately(bot: Bot) -> None:
    server = bot.guild()
    invited = await server.use("invite")
    assert invited.private
    assert "client_id=" in invited.text
    assert "scope=bot+applications.commands" in invited.text
    helped = await server.use("help")
    assert helped.private
    for command in ("/mark", "/listen add", "/train", "/forget me", "/stats", "/autorespond add"):
        assert f"`{command}" in helped.text


async def asked_again(bot: Bot, messages: list[Message]) -> None:
    """What Discord does after a lost connection: the same events once more."""
    for message in messages:
        channel = bot.sim.world.channels[message.channel_id]
        bot.sim.chat._message_event("MESSAGE_CREATE", channel, message)


async def test_a_replay_answers_nothing_twice_and_counts_nothing_twice(bot: Bot) -> None:
    server = bot.guild("general", "quiet")
    await server.listening()
    await server.use("autorespond add", by="mira", **server.channels("general"))
    await server.learned("the cat sat on the mat", "the dog sat on the log", "a cat ran to a dog")
    sent = [server.write(f"!mark the {animal}") for animal in ("cat", "dog")]
    sent += [server.write(f"hello number {number}") for number in range(3)]
    for message in sent:
        await server.reply_to(message)
    said = [message.id for message in server.said()]
    rows = await contents(server)
    await asked_again(bot, sent)
    await server.passed()
    await bot.service.talking.responder.settle()
    await bot.settle()
    assert [message.id for message in server.said()] == said
    assert await contents(server) == sorted({*rows, *(message.content for message in sent[2:])})


async def test_what_is_older_than_half_a_minute_is_learned_and_not_answered(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned("the cat sat on the mat", "the dog sat on the log")
    old = bot.sim.world.ids.next() - (31_000 << 22)
    message = server.write("!mark", message_id=old)
    late = server.write("<@1107223344556677120> the cat", message_id=old + 1)
    assert await server.is_ignored(message)
    assert await server.is_ignored(late)
    await server.stored(late)


async def test_a_session_resumed_after_a_kill_answers_nothing_twice(make_bot: MakeBot) -> None:
    bot = await make_bot(min_score=2)
    hosting, sessions = bot.service.hosting, Sessions(bot.runtime.redis)
    server = bot.guild("general", "quiet")
    await server.listening()
    await server.use("autorespond add", by="mira", **server.channels("general"))
    await server.learned("the cat sat on the mat", "the dog sat on the log", "a cat ran to a dog")
    await hosting.save_positions()
    saved = await sessions.load(1, 0)
    assert saved is not None
    sent = [server.write(text) for text in ("!mark the cat", "!mark debug the dog", "hello there", "hello again")]
    for message in sent:
        await server.reply_to(message)
    await server.reply_to(sent[1], part="d")
    used = await server.use("mark")
    said, answer = [message.id for message in server.said()], used.message.id
    await bot.service.talking.responder.settle()
    await bot.drop()
    await sessions.save(1, 0, bot.epoch, saved)  # as a process leaves it that is killed before it saves again
    async with bot.database.transaction() as connection:
        bot.epoch = await take_epoch(connection, 1, 0, "next")
    before = bot.sim.journal.since(0, "rest")[-1]["seq"]
    await hosting.start_shard(OwnedShard(0, 1, bot.epoch))
    await server.passed()
    await bot.service.talking.responder.settle()
    asked = [entry["path"] for entry in bot.sim.journal.since(before, "rest")]
    assert any(path.endswith("/callback") for path in asked), (
        "the command was replayed, and Discord refused a second answer"
    )
    answers = len(sent) + 1  # one of them with a second part
    assert sum(path.endswith("/messages") for path in asked) == answers + 1, "all were replayed, and one more was new"
    assert [message.id for message in server.said()] == said
    assert used.message.id == answer
    assert not used.more
    rows = await contents(server)
    assert len(rows) == len(set(rows))
