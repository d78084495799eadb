"""Storing many messages at once, as training does: COPY into a table of the session, and one statement from there."""

from collections.abc import Sequence

import orjson

from markov_shard.store.messages import StoredMessage
from markov_shard.store.pool import Connection

# Made once a session; emptied when the transaction ends.
_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged (
    ordinal integer, message_id bigint, channel_id bigint, author_id bigint, content text, attachments text,
    nsfw boolean
) ON COMMIT DELETE ROWS
"""

# As `messages.LEARN`: into the generation named or, without one, into the one that answers and any being filled.
STORE = """
WITH guild AS (
    INSERT INTO guilds (guild_id, learned_seq) VALUES ($1, $3)
    ON CONFLICT (guild_id) DO UPDATE SET learned_seq = guilds.learned_seq + $3
    RETURNING learned_seq - $3 AS last, generation, training_generation
), stored AS (
    INSERT INTO messages
        (guild_id, generation, message_id, channel_id, author_id, content, attachments, nsfw, learned_seq)
    SELECT $1, filled.generation, new.message_id, new.channel_id, new.author_id, new.content, new.attachments::jsonb,
           new.nsfw, guild.last + new.ordinal
    FROM guild
    CROSS JOIN LATERAL (
        SELECT $2::integer WHERE $2::integer IS NOT NULL
        UNION ALL SELECT guild.generation WHERE $2::integer IS NULL
        UNION ALL
        SELECT guild.training_generation WHERE $2::integer IS NULL AND guild.training_generation IS NOT NULL
    ) AS filled (generation)
    CROSS JOIN staged AS new
    WHERE NOT EXISTS (SELECT FROM tombstones AS t WHERE t.guild_id = $1 AND t.message_id = new.message_id)
      AND NOT EXISTS (SELECT FROM forgotten_users AS f WHERE f.guild_id = $1 AND f.user_id = new.author_id)
    ON CONFLICT DO NOTHING
    RETURNING generation
)
SELECT count(*) FROM stored, guild WHERE stored.generation = coalesce($2::integer, guild.generation)
"""


async def store_messages(
    connection: Connection, guild_id: int, generation: int | None, messages: Sequence[StoredMessage]
) -> int:
    """Stores messages that are neither stored nor deleted, nor of members who opted out; returns how many were new.

    `generation`: one that does not answer yet; None stores as live learning does. Runs in the caller's transaction.
    """
    if not messages:
        return 0
    await connection.execute(_STAGE)
    await connection.copy_records_to_table("staged", records=_records(messages))
    new: int = await connection.fetchval(STORE, guild_id, generation, len(messages))
    return new


def _records(messages: Sequence[StoredMessage]) -> list[tuple[object, ...]]:
    return [
        (
            ordinal,
            message.message_id,
            message.channel_id,
            message.author_id,
            message.content,
            orjson.dumps(message.attachments).decode() if message.attachments else "[]",
            message.nsfw,
        )
        for ordinal, message in enumerate(messages, 1)
    ]


async def drop_older_texts(connection: Connection, guild_id: int, generation: int, message_ids: Sequence[int]) -> None:
    """Makes room for edited messages in a generation that is still being filled, and that no image was made from."""
    await connection.execute(
        "DELETE FROM messages WHERE guild_id = $1 AND generation = $2 AND message_id = ANY($3::bigint[])",
        guild_id,
        generation,
        message_ids,
    )
