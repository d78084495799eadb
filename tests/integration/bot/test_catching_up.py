"""What happened while no session could be resumed is read over REST: nothing missed, nothing twice, nothing kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import hikari
import pytest
import pytest_asyncio

from discord_sim import permissions
from discord_sim.chat import Draft
from discord_sim.places import NewMember
from markov_shard.bot.catching_up import CatchingUp
from markov_shard.bot.directory import ChannelDirectory
from markov_shard.bot.rereading import Rereading
from markov_shard.errors import DatabaseUnavailableError, SupersededError
from markov_shard.guilds.owner import Owner
from markov_shard.ownership.runner import OwnedShard
from markov_shard.ownership.turns import Turns
from markov_shard.ranges import shard_of
from markov_shard.shared import keys
from markov_shard.store.catch_ups import CatchUp, read_catch_ups
from markov_shard.store.channels import read_channels
from markov_shard.store.epochs import take_epoch
from markov_shard.store.guilds import mark_joined
from markov_shard.store.upkeep import joined_guilds
from tests.integration.bot.conftest import MakeBot
from tests.integration.bot.harness import PATIENCE, Bot, Server, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDENTIFY_SECONDS = 5.0
"""Between two IDENTIFYs of a bucket; to be over by the stand-in's clock."""

_TWO_DAYS = 2 * 86_400_000 << 22


async def gaps(bot: Bot) -> Sequence[CatchUp]:
    async with bot.database.connection() as connection:
        return await read_catch_ups(connection)


async def away(bot: Bot) -> None:
    """The process dies and, for whatever reason, its session with it."""
    await bot.service.talking.responder.settle()
    await bot.settle()
    await bot.drop()
    await bot.runtime.redis.delete(keys.session(1, 0))


async def back(bot: Bot) -> None:
    """Another process takes over, identifies, and catches up."""
    async with bot.database.transaction() as connection:
        bot.epoch = await take_epoch(connection, 1, 0, "next")
    bot.sim.world.clock.advance(IDENTIFY_SECONDS)
    await bot.service.hosting.start_shard(OwnedShard(0, 1, bot.epoch))
    await caught_up(bot)


async def caught_up(bot: Bot) -> None:
    async with asyncio.timeout(PATIENCE):
        while await gaps(bot):
            await bot.service.catching_up.sweep()


async def texts(server: Server) -> list[str]:
    return sorted(row["content"] for row in await server.rows())


@dataclass
class Missed:
    """Servers, each with a story of its own, of which the bot saw only the beginning and the end."""

    bot: Bot
    busy: Server
    asking: Server
    changed: Server
    old: Server
    private: Server
    empty: Server
    said: int = 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def missed(make_bot: MakeBot) -> AsyncIterator[Missed]:
    """One gap for the tests of this module: a new session takes 5 s."""
    bot = await make_bot(max_tries=101)
    it = Missed(
        bot,
        busy=bot.guild("general", "quiet", "side"),
        asking=bot.guild("general", "last"),
        changed=bot.guild("general", "doomed", "hidden"),
        old=bot.guild(),
        private=bot.guild(),
        empty=bot.guild(),
    )
    await it.busy.listening("general", "quiet")
    first, second, _ = await it.busy.learned("the cat sat", "the dog ran", "a bird flew")
    await it.asking.listening("general")
    await it.asking.use("autorespond add", by="mira", **it.asking.channels("general"))
    await it.asking.learned("the cat sat on the mat", "the dog sat on the log")
    await it.changed.listening()
    for channel in ("general", "doomed", "hidden"):
        await it.changed.learned(f"{channel} words", channel=channel)
    await it.old.listening()
    ancient = it.old.write("an old message", message_id=bot.sim.world.ids.next() - _TWO_DAYS)
    await it.old.stored(ancient)
    await it.old.learned("a new message")
    await it.private.listening()
    await it.private.learned("words of jonas")
    aiko = it.private.member("a shy one")
    async with bot.database.connection() as connection:
        await connection.execute(
            "INSERT INTO forgotten_users (guild_id, user_id) VALUES ($1, $2)", it.private.id, aiko.id
        )
    await it.empty.listening()

    await away(bot)
    it.said = len(it.asking.said())
    general = it.busy.channel("general")
    for number in range(230):
        it.busy.write(f"missed message {number}")
    bot.sim.chat.edit(general, first, {"content": "the cat stood"})
    bot.sim.chat.delete(general, second.id)
    bot.sim.chat.post(general, bot.sim.world.add_user("other robot", bot=True), Draft("said by a robot"))
    it.busy.write("a quiet word", channel="quiet")
    it.busy.write("not listened to", channel="side")
    it.busy.write("said in a new thread", channel=it.busy.thread("talk", "general").name)
    it.asking.write("!mark the cat")
    it.asking.write("hello again out there")
    bot.sim.places.delete_channel(it.changed.channel("doomed"))
    it.changed.deny("hidden", permissions.VIEW_CHANNEL)
    it.changed.write("more hidden words", channel="hidden")
    it.changed.write("more general words")
    bot.sim.chat.delete(it.old.channel("general"), ancient.id)
    it.private.write("words of a shy one", user="a shy one")
    it.empty.write("before anything was learned")
    await back(bot)
    yield it


async def test_what_was_said_edited_and_deleted_is_caught_up_with(missed: Missed) -> None:
    wanted = [f"missed message {number}" for number in range(230)]
    wanted += ["the cat stood", "a bird flew", "a quiet word", "said in a new thread"]
    assert await texts(missed.busy) == sorted(wanted)
    heard = " ".join([(await missed.busy.use("mark")).text for _ in range(3)])
    assert "dog" not in heard


async def test_nothing_is_answered_that_was_missed(missed: Missed) -> None:
    server = missed.asking
    await server.passed()
    assert len(server.said()) == missed.said
    assert "hello again out there" in await texts(server)


async def test_a_deleted_channel_is_unlearned_and_a_hidden_one_left_alone(missed: Missed) -> None:
    assert await texts(missed.changed) == ["general words", "hidden words", "more general words"]


async def test_only_the_last_day_is_compared(missed: Missed) -> None:
    assert await texts(missed.old) == ["a new message", "an old message"]


async def test_who_opted_out_is_not_learned(missed: Missed) -> None:
    assert await texts(missed.private) == ["words of jonas"]


async def test_a_guild_that_never_learned_has_missed_nothing(missed: Missed) -> None:
    assert await texts(missed.empty) == []


async def test_a_gap_outlives_the_process_that_noted_it(missed: Missed) -> None:
    bot = missed.bot
    server = bot.guild()
    await server.listening()
    await server.learned("first words")
    await away(bot)
    server.write("missed words")
    await bot.service.catching_up.note(OwnedShard(0, 1, bot.epoch))
    assert await bot.service.catching_up.sweep(), "none of them is ours now"
    assert server.id in {gap.guild_id for gap in await gaps(bot)}
    await back(bot)
    assert await texts(server) == ["first words", "missed words"]


async def test_a_shard_that_goes_elsewhere_meanwhile_is_left_to_its_next_owner(missed: Missed) -> None:
    bot = missed.bot
    server = bot.guild()
    await server.listening()
    await server.learned("first words")
    await away(bot)
    server.write("missed words")
    async with bot.database.transaction() as connection:
        bot.epoch = await take_epoch(connection, 1, 0, "next")
    async with bot.database.connection() as connection:
        directory = ChannelDirectory(await read_channels(connection, server.id))
    await bot.service.catching_up.note(OwnedShard(0, 1, bot.epoch))
    gap = next(gap for gap in await gaps(bot) if gap.guild_id == server.id)
    reading = Rereading(
        gap,
        Owner(0, 1, bot.epoch),
        directory,
        database=bot.database,
        guilds=bot.service.guilds,
        rest=bot.service.bot.rest,
        is_owned=lambda: False,
        on_channel_gone=_must_not_be_called,
    )
    with pytest.raises(SupersededError):
        await reading.run()
    assert await texts(server) == ["first words"]
    await back(bot)
    assert await texts(server) == ["first words", "missed words"]


async def _must_not_be_called(channel_id: int) -> None:
    raise AssertionError(channel_id)


async def test_a_gap_that_postgres_was_away_for_is_noted_later(missed: Missed, monkeypatch: pytest.MonkeyPatch) -> None:
    bot, service = missed.bot, missed.bot.service
    catching_up = CatchingUp(
        bot.database,
        service.guilds,
        service.learner,
        service.hosting,
        lambda: service.bot.rest,
        clock=bot.sim.world.clock.wall,
    )
    server = bot.guild()
    await server.listening()
    await server.learned("first words")
    with monkeypatch.context() as patch:
        patch.setattr(bot.runtime.database, "connection", _away)
        await catching_up.note(OwnedShard(0, 1, bot.epoch))
    assert not await gaps(bot)
    before = bot.sim.journal.since(0, "rest")[-1]["seq"]
    await catching_up.sweep()
    read = [entry["path"] for entry in bot.sim.journal.since(before, "rest")]
    assert f"/channels/{server.channel('general').id}/messages" in " ".join(read)
    assert not await gaps(bot)


@contextlib.asynccontextmanager
async def _away() -> AsyncIterator[None]:
    raise DatabaseUnavailableError("away")
    yield


async def test_trouble_of_any_kind_leaves_the_gap_for_later(missed: Missed, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = missed.bot
    server = bot.guild()
    await server.listening()
    await server.learned("first words")
    await bot.service.catching_up.note(OwnedShard(0, 1, bot.epoch))
    for trouble in (RuntimeError("odd"), DatabaseUnavailableError("away"), hikari.HikariError(), OSError("cut")):
        with monkeypatch.context() as patch:
            patch.setattr(Rereading, "run", _failing(trouble))
            assert await bot.service.catching_up.sweep()
        assert server.id in {gap.guild_id for gap in await gaps(bot)}
    await caught_up(bot)


def _failing(error: Exception) -> Callable[[Rereading], Awaitable[None]]:
    async def run(_: Rereading) -> None:
        raise error

    return run


async def test_a_refused_resume_of_a_running_process_is_a_gap_too(missed: Missed) -> None:
    bot = missed.bot
    server = bot.guild()
    await server.listening()
    await server.learned("first words")
    before = bot.service.hosting.identifies
    bot.sim.world.clock.advance(IDENTIFY_SECONDS)
    bot.sim.faults.add({"disconnect": {"how": "cut", "forget": True}})
    server.write("missed words")
    await until(lambda: bot.service.hosting.identifies > before, what="a new session")
    await caught_up(bot)
    assert await texts(server) == ["first words", "missed words"]


async def test_a_set_of_shards_that_is_to_take_over_has_missed_nothing(missed: Missed) -> None:
    hosting = missed.bot.service.hosting
    hosting.take_turns(Turns(shard_count=1, upcoming=2))
    try:
        await hosting.before_identify(OwnedShard(0, 2, 1))
        await hosting.before_identify(OwnedShard(1, 2, 1))
    finally:
        hosting.take_turns(Turns(shard_count=1))
    assert not await gaps(missed.bot)


async def test_a_guild_that_removed_the_bot_meanwhile_is_noticed_and_no_other(bot: Bot) -> None:
    left, kept, troubled = bot.guild(), bot.guild(), bot.guild()
    for server in (left, kept, troubled):
        await server.listening()
        await server.learned("the cat sat on the mat")
    taught_before = 5 << 22  # from the command line, before the bot ever came there
    async with bot.database.connection() as connection:
        await connection.execute("INSERT INTO guilds (guild_id) VALUES ($1)", taught_before)
    await away(bot)
    application = next(iter(bot.sim.world.applications.values()))
    bot.sim.places.remove_member(left.guild, application.bot)
    bot.sim.places.set_unavailable(troubled.guild, unavailable=True)
    await back(bot)

    async def gone() -> set[int]:
        async with bot.database.connection() as connection:
            rows = await connection.fetch("SELECT guild_id FROM guilds WHERE left_at IS NOT NULL")
        return {row["guild_id"] for row in rows}

    async with asyncio.timeout(PATIENCE):
        while left.id not in await gone():
            await asyncio.sleep(0.005)
    await kept.passed()
    intake = bot.service.hosting.intake_of(kept.id)
    assert intake is not None
    await intake.settle()
    assert not {kept.id, troubled.id, taught_before} & await gone()
    bot.sim.places.add_member(left.guild, NewMember(application.bot.username, id=application.bot.id))
    async with asyncio.timeout(PATIENCE):
        while left.id in await gone():
            await asyncio.sleep(0.005)
    assert await left.rows(), "what was learned is still there"


async def test_only_guilds_of_the_shard_are_looked_at(bot: Bot) -> None:
    ids = [number << 22 for number in range(101, 109)]
    async with bot.database.connection() as connection:
        for guild_id in ids:
            await mark_joined(connection, guild_id)
        found = [set(await joined_guilds(connection, shard_id, 4)) & set(ids) for shard_id in range(4)]
    assert [{guild_id for guild_id in ids if shard_of(guild_id, 4) == shard_id} for shard_id in range(4)] == found
