"""Messages that show how a training goes, until it is finished."""

from dataclasses import dataclass

from markov_shard.store.pool import Connection


@dataclass(frozen=True)
class ProgressPlace:
    """Where a job's progress is shown."""

    guild_id: int
    job_id: int
    channel_id: int
    message_id: int


async def save_place(connection: Connection, place: ProgressPlace) -> None:
    """Notes a message, in the place of an earlier one of the same job."""
    await connection.execute(
        "INSERT INTO progress_messages (guild_id, job_id, channel_id, message_id) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (guild_id, job_id) DO UPDATE SET channel_id = $3, message_id = $4",
        place.guild_id,
        place.job_id,
        place.channel_id,
        place.message_id,
    )


async def places_of_shard(connection: Connection, shard_id: int, shard_count: int) -> list[ProgressPlace]:
    """The messages in a shard's guilds. Fleet-wide: reads every partition, of a table with a row a running job."""
    rows = await connection.fetch(
        "SELECT guild_id, job_id, channel_id, message_id FROM progress_messages WHERE (guild_id >> 22) % $2 = $1",
        shard_id,
        shard_count,
    )
    return [ProgressPlace(**row) for row in rows]


async def drop_place(connection: Connection, guild_id: int, job_id: int) -> None:
    """Forgets the message of a job that has been shown to its end."""
    await connection.execute("DELETE FROM progress_messages WHERE guild_id = $1 AND job_id = $2", guild_id, job_id)
