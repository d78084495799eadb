"""The messages table: the truth that every chain is counted from."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from markov_shard.store.pool import Connection


@dataclass(slots=True, unsafe_hash=True)
class StoredMessage:
    """One message of a guild as it is stored. IDs are snowflakes; a negative `message_id` was imported without one.

    Nobody changes one. It is not frozen because that makes the making of each, on the learn path, three times as long.
    """

    message_id: int
    channel_id: int | None
    author_id: int | None
    content: str
    attachments: tuple[str, ...] = ()
    nsfw: bool = False


@dataclass(frozen=True, slots=True)
class RemovedMessage:
    """What a deletion took out, and where it stood."""

    message_id: int
    generation: int
    learned_seq: int
    content: str
    nsfw: bool
    attachments: tuple[str, ...] = ()

    @property
    def message(self) -> StoredMessage:
        """What a chain needs in order to unlearn it."""
        return StoredMessage(self.message_id, None, None, self.content, (), self.nsfw)


def clean_text(text: str) -> str:
    """The text without NUL and lone surrogates, which Discord never means and the chain refuses."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")


# One statement a guild: takes sequence numbers under the guild's row lock and inserts into the generation that
# answers and, during a clean retrain, into the one being filled. Duplicates and deleted messages leave gaps.
LEARN = """
WITH guild AS (
    INSERT INTO guilds (guild_id, learned_seq) VALUES ($1, $2)
    ON CONFLICT (guild_id) DO UPDATE SET learned_seq = guilds.learned_seq + $2
    RETURNING learned_seq - $2 AS last, generation, training_generation
)
INSERT INTO messages (guild_id, generation, message_id, channel_id, author_id, content, attachments, nsfw, learned_seq)
SELECT $1, filled.generation, new.message_id, new.channel_id, new.author_id, new.content, new.attachments, new.nsfw,
       guild.last + new.ordinal
FROM guild
CROSS JOIN LATERAL (VALUES (guild.generation), (guild.training_generation)) AS filled (generation)
CROSS JOIN unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::jsonb[], $8::boolean[])
    WITH ORDINALITY AS new (message_id, channel_id, author_id, content, attachments, nsfw, ordinal)
WHERE filled.generation IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM tombstones WHERE tombstones.guild_id = $1 AND tombstones.message_id = new.message_id
  )
  AND NOT EXISTS (
      SELECT FROM forgotten_users AS f WHERE f.guild_id = $1 AND f.user_id = new.author_id
  )
ON CONFLICT DO NOTHING
RETURNING message_id, generation, generation = (SELECT guild.generation FROM guild) AS answers
"""


def message_columns(messages: Sequence[StoredMessage]) -> tuple[list[Any], ...]:
    """The messages as one array a column, for statements that `unnest` them."""
    return (
        [m.message_id for m in messages],
        [m.channel_id for m in messages],
        [m.author_id for m in messages],
        [m.content for m in messages],
        [orjson.dumps(m.attachments).decode() for m in messages],
        [m.nsfw for m in messages],
    )


async def learn_messages(connection: Connection, guild_id: int, messages: Sequence[StoredMessage]) -> set[int]:
    """Stores the messages that are neither stored nor deleted yet, nor of members who opted out.

    Returns the IDs that are new to the chain.
    """
    rows = await connection.fetch(LEARN, guild_id, len(messages), *message_columns(messages))
    return {row["message_id"] for row in rows if row["answers"]}


async def delete_messages(connection: Connection, guild_id: int, message_ids: Sequence[int]) -> list[RemovedMessage]:
    """Deletes the messages in every generation; the guild's row must be locked."""
    rows = await connection.fetch(
        "DELETE FROM messages WHERE guild_id = $1 AND message_id = ANY($2::bigint[])"
        " RETURNING message_id, generation, learned_seq, content, nsfw, attachments",
        guild_id,
        message_ids,
    )
    return [RemovedMessage(**{**row, "attachments": _urls(row["attachments"])}) for row in rows]


async def bury_messages(connection: Connection, guild_id: int, message_ids: Sequence[int]) -> None:
    """Writes tombstones, so that a backfill does not bring the messages back."""
    await connection.execute(
        "INSERT INTO tombstones (guild_id, message_id) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING",
        guild_id,
        message_ids,
    )


async def drop_attachment(connection: Connection, guild_id: int, url: str) -> int:
    """Takes an attachment's URL, as it was first seen, out of the guild's messages; returns how many had it."""
    status: str = await connection.execute(
        "UPDATE messages SET attachments = attachments - $2::text"
        " WHERE guild_id = $1 AND attachments <> '[]' AND attachments ? $2::text",
        guild_id,
        url,
    )
    return int(status.rsplit(" ", 1)[1])


async def attachments_of(
    connection: Connection, guild_id: int, generation: int, message_ids: Sequence[int], *, nsfw: bool
) -> list[str]:
    """URLs that some messages carry; `nsfw`: those of age-restricted channels too."""
    rows = await connection.fetch(
        "SELECT attachments FROM messages WHERE guild_id = $1 AND generation = $2 AND message_id = ANY($3::bigint[])"
        " AND attachments <> '[]' AND (NOT nsfw OR $4)",
        guild_id,
        generation,
        message_ids,
        nsfw,
    )
    return [url for row in rows for url in _urls(row["attachments"])]


async def some_attachments(
    connection: Connection, guild_id: int, generation: int, place: float, *, nsfw: bool
) -> list[str]:
    """URLs of the message with attachments that stands nearest after `place`, 0 to 1, between the first and last."""
    row = await connection.fetchrow(
        "WITH carrying AS (SELECT message_id, attachments FROM messages WHERE guild_id = $1 AND generation = $2"
        " AND attachments <> '[]' AND (NOT nsfw OR $4))"
        " SELECT attachments FROM carrying WHERE message_id >= (SELECT min(message_id)::numeric"
        " + (max(message_id)::numeric - min(message_id)::numeric) * $3::float8::numeric FROM carrying)"
        " ORDER BY message_id LIMIT 1",
        guild_id,
        generation,
        place,
        nsfw,
    )
    return list(_urls(row["attachments"])) if row else []


async def stream_messages(
    connection: Connection, guild_id: int, generation: int, *, after_seq: int, up_to_seq: int, batch: int
) -> AsyncIterator[list[StoredMessage]]:
    """The messages with `after_seq` < learned_seq <= `up_to_seq`, in that order, in lists of `batch`.

    Runs in the caller's transaction, whose snapshot it reads.
    """
    cursor = await connection.cursor(
        "SELECT message_id, channel_id, author_id, content, attachments, nsfw FROM messages"
        " WHERE guild_id = $1 AND generation = $2 AND learned_seq > $3 AND learned_seq <= $4 ORDER BY learned_seq",
        guild_id,
        generation,
        after_seq,
        up_to_seq,
    )
    while rows := await cursor.fetch(batch):
        yield [stored_row(row) for row in rows]


async def stream_texts(
    connection: Connection, guild_id: int, generation: int, *, after_seq: int, up_to_seq: int, batch: int
) -> AsyncIterator[list[tuple[int, str, bool]]]:
    """As `stream_messages`, but only what a chain is made of: ID, text, and whether it is age-restricted."""
    cursor = await connection.cursor(
        "SELECT message_id, content, nsfw FROM messages"
        " WHERE guild_id = $1 AND generation = $2 AND learned_seq > $3 AND learned_seq <= $4 ORDER BY learned_seq",
        guild_id,
        generation,
        after_seq,
        up_to_seq,
    )
    while rows := await cursor.fetch(batch):
        yield [tuple(row) for row in rows]


def stored_row(row: Any) -> StoredMessage:
    """A row with all columns of a message."""
    return StoredMessage(
        row["message_id"],
        row["channel_id"],
        row["author_id"],
        row["content"],
        _urls(row["attachments"]),
        row["nsfw"],
    )


def _urls(attachments: str) -> tuple[str, ...]:
    return tuple(orjson.loads(attachments)) if attachments != "[]" else ()


async def read_messages(
    connection: Connection, guild_id: int, generation: int, message_ids: Sequence[int]
) -> list[StoredMessage]:
    """Those of the named messages that are stored."""
    rows = await connection.fetch(
        "SELECT message_id, channel_id, author_id, content, attachments, nsfw FROM messages"
        " WHERE guild_id = $1 AND generation = $2 AND message_id = ANY($3::bigint[])",
        guild_id,
        generation,
        message_ids,
    )
    return [stored_row(row) for row in rows]


async def count_messages(connection: Connection, guild_id: int, generation: int) -> int:
    """How many messages the generation holds."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM messages WHERE guild_id = $1 AND generation = $2", guild_id, generation
    )
    return count


async def first_message(connection: Connection, guild_id: int, generation: int) -> int | None:
    """The ID of the oldest message that came with one; None when there is none."""
    found: int | None = await connection.fetchval(
        "SELECT min(message_id) FROM messages WHERE guild_id = $1 AND generation = $2 AND message_id > 0",
        guild_id,
        generation,
    )
    return found


async def messages_of_channels(
    connection: Connection, guild_id: int, channel_ids: Sequence[int], *, limit: int
) -> list[int]:
    """IDs of stored messages of some channels or threads, of any generation, at most `limit`."""
    rows = await connection.fetch(
        "SELECT DISTINCT message_id FROM messages WHERE guild_id = $1 AND channel_id = ANY($2::bigint[]) LIMIT $3",
        guild_id,
        channel_ids,
        limit,
    )
    return [row["message_id"] for row in rows]


async def unrestricted_messages(
    connection: Connection, guild_id: int, channel_ids: Sequence[int], *, limit: int
) -> list[StoredMessage]:
    """Stored messages of some channels that are not marked as age-restricted, of any generation, at most `limit`."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (message_id) message_id, channel_id, author_id, content, attachments, nsfw FROM messages"
        " WHERE guild_id = $1 AND channel_id = ANY($2::bigint[]) AND NOT nsfw ORDER BY message_id LIMIT $3",
        guild_id,
        channel_ids,
        limit,
    )
    return [stored_row(row) for row in rows]


async def has_nsfw(connection: Connection, guild_id: int, generation: int) -> bool:
    """Whether the generation holds text from age-restricted channels."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM messages WHERE guild_id = $1 AND generation = $2 AND nsfw)", guild_id, generation
    )
    return found
