"""The truth in Postgres: idempotent, ordered by learned_seq, one partition a statement."""

import asyncio
import re

import pytest

from markov_shard.errors import SupersededError
from markov_shard.store.epochs import require_epoch, take_epoch
from markov_shard.store.guilds import read_guild
from markov_shard.store.messages import (
    LEARN,
    StoredMessage,
    bury_messages,
    count_messages,
    drop_attachment,
    learn_messages,
    read_messages,
    stream_messages,
)
from markov_shard.store.pool import Database

GUILD = 81384788765712384


def message(message_id: int, text: str = "hello there") -> StoredMessage:
    return StoredMessage(message_id, 5, 6, text, ("https://cdn/x.png",))


async def test_the_same_message_counts_once(database: Database) -> None:
    async with database.connection() as connection:
        assert await learn_messages(connection, GUILD, [message(1), message(2)]) == {1, 2}
        assert await learn_messages(connection, GUILD, [message(2), message(3)]) == {3}
        assert await count_messages(connection, GUILD, 1) == 3


async def test_deleted_messages_do_not_come_back(database: Database) -> None:
    async with database.connection() as connection:
        await bury_messages(connection, GUILD, [2])
        assert await learn_messages(connection, GUILD, [message(1), message(2)]) == {1}


async def test_a_clean_retrain_is_filled_beside_the_answering_generation(database: Database) -> None:
    async with database.connection() as connection:
        await learn_messages(connection, GUILD, [message(1)])
        await connection.execute("UPDATE guilds SET training_generation = 2 WHERE guild_id = $1", GUILD)
        assert await learn_messages(connection, GUILD, [message(2)]) == {2}
        assert await count_messages(connection, GUILD, 1) == 2
        assert await count_messages(connection, GUILD, 2) == 1


async def test_concurrent_writers_get_distinct_sequence_numbers(database: Database) -> None:
    async def write(start: int) -> None:
        async with database.transaction() as connection:
            await learn_messages(connection, GUILD, [message(start + n) for n in range(50)])

    await asyncio.gather(*(write(1000 * n) for n in range(5)))
    async with database.transaction() as connection:
        seqs = [
            row["learned_seq"]
            for row in await connection.fetch("SELECT learned_seq FROM messages WHERE guild_id = $1", GUILD)
        ]
        guild = await read_guild(connection, GUILD)
    assert len(set(seqs)) == 250
    assert max(seqs) == guild.learned_seq == 250


async def test_streaming_gives_back_what_was_stored_in_order(database: Database) -> None:
    stored = [message(n, f"text {n}") for n in (5, 3, 9, 1)]
    async with database.transaction() as connection:
        for one in stored:
            await learn_messages(connection, GUILD, [one])
        batches = [batch async for batch in stream_messages(connection, GUILD, 1, after_seq=1, up_to_seq=4, batch=2)]
    assert batches == [stored[1:3], stored[3:]]


async def test_learning_touches_one_partition_of_each_table(database: Database) -> None:
    """Reads the plan: a guild's statement must not scan other guilds' partitions."""
    literal = LEARN
    async with database.transaction() as connection:
        arrays = "$3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::jsonb[], $8::boolean[]"
        assert arrays in literal
        statement = literal.replace(
            arrays,
            "'{1}'::bigint[], '{1}'::bigint[], '{1}'::bigint[], '{a}'::text[], ARRAY['[]']::jsonb[], '{f}'::boolean[]",
        )
        statement = statement.replace("$1", str(GUILD)).replace("$2", "1")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}"))
    scanned = set(re.findall(r"(?:Scan (?:using \w+ )?on|Insert on) (\w+_p\d\d)", plan))
    assert len({name[-2:] for name in scanned}) == 1, plan


async def test_a_superseded_holder_is_refused(database: Database) -> None:
    async with database.connection() as connection:
        first = await take_epoch(connection, 16, 3, "shard-1")
        second = await take_epoch(connection, 16, 3, "shard-2")
    assert second == first + 1
    async with database.transaction() as connection:
        await require_epoch(connection, 16, 3, second)
    with pytest.raises(SupersededError, match="epoch 2 of shard-2"):
        async with database.transaction() as connection:
            await require_epoch(connection, 16, 3, first)


async def test_a_write_under_way_is_waited_for_before_the_shard_changes_hands(database: Database) -> None:
    async with database.connection() as connection:
        epoch = await take_epoch(connection, 16, 3, "shard-1")
    async with database.connection() as other:
        async with database.transaction() as writing:
            await require_epoch(writing, 16, 3, epoch)
            taking = asyncio.create_task(take_epoch(other, 16, 3, "shard-2"))
            await _until_waiting(database, "shard_epochs")
            assert not taking.done()
        assert await taking == epoch + 1


async def _until_waiting(database: Database, text: str) -> None:
    """Returns when some statement naming `text` waits for a lock."""
    async with asyncio.timeout(10):
        while True:
            async with database.connection() as connection:
                if await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1",
                    f"%{text}%",
                ):
                    return


async def test_a_file_that_is_gone_is_taken_out_of_every_message_that_has_it(database: Database) -> None:
    gone, kept = "https://cdn.example/1/a.png?ex=1", "https://cdn.example/1/b.png?ex=1"
    async with database.transaction() as connection:
        await learn_messages(
            connection,
            GUILD,
            [
                StoredMessage(1, 1, 2, "both", (gone, kept)),
                StoredMessage(2, 1, 2, "one", (gone,)),
                StoredMessage(3, 1, 2, "none"),
            ],
        )
        assert await drop_attachment(connection, GUILD, gone) == 2
        assert await drop_attachment(connection, GUILD + 1, kept) == 0
        left = await read_messages(connection, GUILD, 1, [1, 2, 3])
    assert {message.message_id: message.attachments for message in left} == {1: (kept,), 2: (), 3: ()}
