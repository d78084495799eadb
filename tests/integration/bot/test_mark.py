"""`/mark`, as members use it."""

import pytest

from discord_sim import DEMO_BOT_ID
from discord_sim.places import NewChannel
from tests.integration.bot.conftest import OWNER, SPEAKERS
from tests.integration.bot.harness import Bot, links

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = ("the cat sat on the mat", "the dog sat on the log", "the cat ran to the dog", "a dog ran on the mat")


def words(*texts: str) -> set[str]:
    return {word for text in texts for word in text.split()}


async def test_it_answers_in_the_voice_of_the_server(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES)
    seen = await server.use("mark")
    assert words(seen.text) <= words(*LINES)
    assert seen.text not in LINES
    assert not seen.private
    assert not seen.message.tts


async def test_every_answer_is_timed_once_from_its_event(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES)
    before = bot.service.reply_clock.replies
    await server.use("mark")
    await server.use("mark", debug=True, more=1)
    await server.reply_to(server.write(f"<@{DEMO_BOT_ID}> hello"))
    assert bot.service.reply_clock.replies == before + 3


async def test_an_answer_starts_from_the_seed(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES)
    seen = await server.use("mark", seed="a dog")
    assert seen.text.startswith("a dog ")


async def test_it_is_read_out_when_asked(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES)
    assert (await server.use("mark", tts=True)).message.tts


async def test_debug_shows_score_tries_order_and_links_to_the_sources(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    sent = {message.id: message.channel_id for message in await server.learned(*LINES)}
    seen = await server.use("mark", debug=True, seed="zebra", more=1)
    shown = seen.more[0]
    assert shown.flags & 64, "only for who asked"
    for word in ("score", "tries", "order", "seed used: none"):
        assert word in shown.content
    assert links(shown.content)
    for guild, channel, message in links(shown.content):
        assert (guild, sent[message]) == (server.id, channel)


async def test_it_speaks_like_one_member_from_that_members_messages_alone(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES, user="jonas")
    theirs = ("red fish swim up high", "blue fish swim down low", "old fish swim up slow")
    await server.learned(*theirs, user="aiko")
    seen = await server.use("mark", user=server.user("aiko").id)
    assert words(seen.text) <= words(*theirs)
    seen = await server.use("mark", user=server.user("owner").id)
    assert "learned nothing from" in seen.text


async def test_a_member_who_opted_out_is_not_imitated(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES, user="jonas")
    await server.use("forget me", by="jonas")
    seen = await server.use("mark", by="aiko", user=server.user("jonas").id)
    assert "asked not to be learned" in seen.text


async def test_without_anything_learned_it_says_what_to_do(bot: Bot) -> None:
    seen = await bot.guild().use("mark")
    assert seen.private
    assert "nothing to say yet" in seen.text
    assert "/listen add" in seen.text


async def test_nobody_is_ever_pinged(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    jonas = server.user("jonas").id
    await server.learned(f"@everyone hi <@{jonas}> you", f"well hi <@{jonas}> there", f"@here hi <@{jonas}> again")
    seen = await server.use("mark", seed="@everyone hi")
    assert not seen.message.mention_everyone
    assert not seen.message.mentions


async def test_words_of_age_restricted_channels_stay_there(bot: Bot) -> None:
    server = bot.guild("general", NewChannel("dark", nsfw=True), "side")
    await server.listening()
    await server.learned(*LINES)
    night = ("grim cats prowl by night", "grim dogs howl by night", "grim owls prowl at night")
    await server.learned(*night, channel="dark")
    for _ in range(30):
        assert not words((await server.use("mark")).text) & (words(*night) - words(*LINES))
    assert (await server.use("mark", at="dark", seed="grim")).text.startswith("grim")
    assert not (await server.use("mark", seed="grim")).text.startswith("grim")


async def test_the_longest_input_is_answered_within_discords_limits(bot: Bot) -> None:
    server = bot.guild()
    await server.listening()
    long = [" ".join(f"{start}{'x' * 60}{number}" for number in range(30)) for start in "abc"]
    await server.learned(*(f"{text} {'z' * 60} {text[::-1]}"[:4000] for text in long))
    seen = await server.use("mark", seed="w" * 500, debug=True, more=1)
    assert len(seen.text) <= 2000


async def test_without_the_right_role_it_is_refused(strict_bot: Bot) -> None:
    server = strict_bot.guild()
    await server.listening()
    await server.learned(*LINES)
    refused = await server.use("chatter", by="jonas")
    assert refused.private
    assert "another role" in refused.text
    server.guild.members[server.user("aiko").id].roles.append(server.role("Speakers", role_id=SPEAKERS))
    for allowed in ("aiko", "mira", "owner"):
        assert not (await server.use("chatter", by=allowed)).private
    server.member("boss", user_id=OWNER)
    assert not (await server.use("chatter", by="boss")).private


async def test_who_asks_too_often_is_told_to_wait(limited_bot: Bot) -> None:
    server = limited_bot.guild()
    await server.listening()
    await server.learned(*LINES)
    assert not (await server.use("mark")).private
    again = await server.use("mark")
    assert again.private
    assert "Not so fast" in again.text
    assert not (await server.use("mark", at="side")).private, "each channel has a time of its own"
    assert not (await server.use("mark", by="aiko")).private, "and each member"


async def test_blocked_words_are_never_answered_with(strict_bot: Bot) -> None:
    server = strict_bot.guild()
    await server.listening()
    await server.learned(*LINES)
    for _ in range(20):
        text = (await server.use("chatter", by="mira")).text
        assert "cat" not in text.split()
        assert "the log" not in text
    seen = await server.use("chatter", by="mira", seed="the CAT")
    assert "cat" not in seen.text.casefold().split()


async def test_the_name_of_the_command_is_a_setting(strict_bot: Bot) -> None:
    server = strict_bot.guild()
    await server.listening()
    await server.learned(*LINES)
    assert words((await server.use("chatter", by="mira")).text) <= words(*LINES)
    assert words((await server.reply_to(server.write("?say", user="mira"))).content) <= words(*LINES)
    assert "`/chatter`" in (await server.use("help")).text
