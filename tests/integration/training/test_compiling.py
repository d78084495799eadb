"""Compiling while a guild lives: nothing deleted comes back, nothing counts twice."""

import random
from collections import Counter
from pathlib import Path

import pytest
from redis.asyncio import Redis

from markov_shard.chain import Chain, Image, ReferenceChain
from markov_shard.errors import SupersededError
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.removal import PublishedImage, remove_messages, replace_messages
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.images import current_images
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training import compiling
from markov_shard.training.compiling import compile_guild

GUILD = 81384788765712384
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"]


@pytest.fixture
def opener(database: Database, redis_client: Redis, tmp_path: Path) -> ChainOpener:
    return ChainOpener(database, ImageCache(redis_client), ImageFiles(tmp_path), 2)


def sentence(rng: random.Random, message_id: int, *, nsfw: bool = False) -> StoredMessage:
    return StoredMessage(message_id, 1, 2, " ".join(rng.choices(WORDS, k=rng.randint(1, 8))), (), nsfw)


async def learn(database: Database, messages: list[StoredMessage]) -> None:
    async with database.transaction() as connection:
        await learn_messages(connection, GUILD, messages)


async def images(database: Database, opener: ChainOpener) -> dict[str, PublishedImage]:
    async with database.transaction() as connection:
        rows = await current_images(connection, GUILD)
        return {audience: PublishedImage(row, await opener.image(connection, row)) for audience, row in rows.items()}


async def remove(database: Database, opener: ChainOpener, message_ids: list[int]) -> None:
    published = await images(database, opener)
    async with database.transaction() as connection:
        await remove_messages(connection, GUILD, message_ids, published)  # type: ignore[arg-type]


def counted(messages: list[StoredMessage]) -> Counter[object]:
    reference = ReferenceChain(state_size=2)
    for message in messages:
        reference.learn(message.content)
    return Counter({(state, successor): count for state, successor, count in reference.transitions()})


async def opened(opener: ChainOpener, audience: str = "general") -> Chain:
    return (await opener.open(GUILD, audience)).chain  # type: ignore[arg-type]


def transitions(chain: Chain) -> Counter[object]:
    return Counter({(state, successor): count for state, successor, count in chain.transitions()})


async def test_learning_and_removing_between_and_after_images(database: Database, opener: ChainOpener) -> None:
    rng = random.Random(1)
    live = {n: sentence(rng, n) for n in range(1, 201)}
    await learn(database, list(live.values()))
    for round_ in range(4):
        await compile_guild(database, GUILD, state_size=2)
        fresh = {n: sentence(rng, n) for n in range(1000 * (round_ + 1), 1000 * (round_ + 1) + 30)}
        live |= fresh
        await learn(database, list(fresh.values()))
        gone = rng.sample(sorted(live), 25)
        await remove(database, opener, gone)
        for message_id in gone:
            del live[message_id]
        chain = await opened(opener)
        assert transitions(chain) == counted(list(live.values()))
        assert chain.messages == len(live)


async def test_a_compile_reads_only_what_was_learned_since_the_last(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(7)
    await learn(database, [sentence(rng, n) for n in range(1, 201)])
    await compile_guild(database, GUILD, state_size=2)
    await learn(database, [sentence(rng, n) for n in range(201, 211)])
    asked: list[int] = []
    stream = compiling.stream_texts

    def noted(*arguments: object, after_seq: int, **named: object) -> object:
        asked.append(after_seq)
        return stream(*arguments, after_seq=after_seq, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(compiling, "stream_texts", noted)
    published = await compile_guild(database, GUILD, state_size=2)
    assert (published.messages, asked) == (210, [200])


async def test_a_damaged_image_is_replaced_by_one_counted_anew(database: Database, opener: ChainOpener) -> None:
    rng = random.Random(8)
    live = [sentence(rng, n) for n in range(1, 51)]
    await learn(database, live)
    await compile_guild(database, GUILD, state_size=2)
    async with database.connection() as connection:
        await connection.execute("UPDATE chain_image_chunks SET data = overlay(data placing 'xx' from 100)")
    assert (await compile_guild(database, GUILD, state_size=2)).version == 2
    assert transitions(await opened(opener)) == counted(live)


async def test_what_is_deleted_and_edited_during_a_compile_is_not_in_its_image(
    database: Database, opener: ChainOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(2)
    live = {n: sentence(rng, n) for n in range(1, 101)}
    await learn(database, list(live.values()))
    build = compiling._build

    async def interrupted(*arguments: object) -> dict[str, Image]:
        """Between the snapshot and the publishing, life goes on."""
        built = await build(*arguments)  # type: ignore[arg-type]
        await remove(database, opener, [3, 4])
        late = sentence(rng, 500)
        await learn(database, [late])
        edited = StoredMessage(5, 1, 2, "edited once")
        edited_again = StoredMessage(5, 1, 2, "edited twice")
        for message in (edited, edited_again):
            published = await images(database, opener)
            async with database.transaction() as connection:
                await replace_messages(connection, GUILD, [message], published)  # type: ignore[arg-type]
        live.update({500: late, 5: edited_again})
        del live[3], live[4]
        return built  # type: ignore[return-value]

    monkeypatch.setattr(compiling, "_build", interrupted)
    await compile_guild(database, GUILD, state_size=2)
    assert transitions(await opened(opener)) == counted(list(live.values()))


async def test_a_compile_that_was_overtaken_begins_again(
    database: Database, opener: ChainOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    live = {n: sentence(rng, n) for n in range(1, 101)}
    await learn(database, list(live.values()))
    build, rounds = compiling._build, 0

    async def overtaken(*arguments: object) -> dict[str, Image]:
        nonlocal rounds
        rounds += 1
        built = await build(*arguments)  # type: ignore[arg-type]
        if rounds == 1:
            await remove(database, opener, [7])
            await compile_guild(database, GUILD, state_size=2)  # knows nothing of 7, and of its removal
        return built  # type: ignore[return-value]

    monkeypatch.setattr(compiling, "_build", overtaken)
    published = await compile_guild(database, GUILD, state_size=2)
    del live[7]
    assert (published.version, published.messages) == (2, 99)
    assert transitions(await opened(opener)) == counted(list(live.values()))


async def test_age_restricted_text_is_in_the_image_for_all_only(database: Database, opener: ChainOpener) -> None:
    rng = random.Random(4)
    open_, restricted = [sentence(rng, 1)], [sentence(rng, 2, nsfw=True)]
    await learn(database, open_ + restricted)
    await compile_guild(database, GUILD, state_size=2)
    assert transitions(await opened(opener)) == counted(open_)
    assert transitions(await opened(opener, "all")) == counted(open_ + restricted)


async def test_a_generation_that_was_given_up_is_not_published(database: Database) -> None:
    await learn(database, [sentence(random.Random(5), 1)])
    with pytest.raises(SupersededError, match="given up"):
        await compile_guild(database, GUILD, state_size=2, generation=9)


async def test_a_damaged_image_is_discarded_and_counted_anew(database: Database, opener: ChainOpener) -> None:
    rng = random.Random(6)
    live = [sentence(rng, n) for n in range(1, 51)]
    await learn(database, live)
    await compile_guild(database, GUILD, state_size=2)
    async with database.connection() as connection:
        await connection.execute("UPDATE chain_image_chunks SET data = overlay(data placing 'xx' from 100)")
    result = await opener.open(GUILD)
    assert result.damaged
    assert transitions(result.chain) == counted(live)
    await opener.settle()
    async with database.connection() as connection:
        assert await current_images(connection, GUILD) == {}


async def test_an_edit_of_what_only_a_retrain_under_way_has_read_is_kept(database: Database) -> None:
    await learn(database, [StoredMessage(1, 1, 2, "known before")])
    async with database.transaction() as connection:
        await connection.execute("UPDATE guilds SET training_generation = 2 WHERE guild_id = $1", GUILD)
        await learn_messages(connection, GUILD, [StoredMessage(2, 1, 2, "read from the history")])
        await connection.execute(
            "DELETE FROM messages WHERE guild_id = $1 AND generation = 1 AND message_id = 2", GUILD
        )
    async with database.transaction() as connection:
        edited = [StoredMessage(2, 1, 2, "edited since"), StoredMessage(3, 1, 2, "never stored")]
        old, new = await replace_messages(connection, GUILD, edited, {})
        rows = await connection.fetch(
            "SELECT content FROM messages WHERE guild_id = $1 AND generation = 2 ORDER BY message_id", GUILD
        )
    assert [row["content"] for row in rows] == ["edited since"]
    assert (old, new) == ([], {2})
