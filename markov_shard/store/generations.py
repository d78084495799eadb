"""Generations: a clean retrain fills a new one while the old one answers; publishing switches, the old one goes."""

from markov_shard.errors import JobError
from markov_shard.store.guilds import lock_guild
from markov_shard.store.pool import Connection

_DELETED_AT_ONCE = 5000


async def start_generation(connection: Connection, guild_id: int) -> int:
    """Opens a new generation for filling; live learning writes both from now on.

    Raises JobError when one is being filled already.
    """
    guild = await lock_guild(connection, guild_id)
    if guild.training_generation is not None:
        raise JobError(f"guild {guild_id} is being trained already")
    newest: int | None = await connection.fetchval("SELECT max(generation) FROM messages WHERE guild_id = $1", guild_id)
    generation = max(guild.generation, newest or 0) + 1  # a failed one's rows may still be there
    await _set_training(connection, guild_id, generation)
    return generation


async def abort_generation(connection: Connection, guild_id: int, generation: int) -> None:
    """Gives a generation up; the answering one stays as it is."""
    guild = await lock_guild(connection, guild_id)
    if guild.training_generation == generation:
        await _set_training(connection, guild_id, None)


async def end_training(connection: Connection, guild_id: int) -> None:
    """After a switch nothing is being filled any more; the guild's row must be locked."""
    await _set_training(connection, guild_id, None)


async def _set_training(connection: Connection, guild_id: int, generation: int | None) -> None:
    await connection.execute("UPDATE guilds SET training_generation = $2 WHERE guild_id = $1", guild_id, generation)


async def clear_guild(connection: Connection, guild_id: int) -> None:
    """Makes the guild know nothing, at once: answers come from an empty generation, and there is no image.

    The old rows are left to `drop_generations`; a compile or a clean retrain under way finds itself given up.
    """
    guild = await lock_guild(connection, guild_id)
    newest: int | None = await connection.fetchval("SELECT max(generation) FROM messages WHERE guild_id = $1", guild_id)
    await connection.execute(
        "UPDATE guilds SET generation = $2, training_generation = NULL, image_version = image_version + 1"
        " WHERE guild_id = $1",
        guild_id,
        max(guild.generation, newest or 0) + 1,
    )
    for table in ("chain_image_chunks", "chain_images", "chain_removals"):
        await connection.execute(f"DELETE FROM {table} WHERE guild_id = $1", guild_id)


async def drop_generations(connection: Connection, guild_id: int) -> int:
    """Deletes some rows of generations that are neither answering nor being filled; 0 when none are left.

    To be called again, each time in a transaction of its own, so that a big guild blocks nobody for long.
    """
    guild = await lock_guild(connection, guild_id)
    status: str = await connection.execute(
        # By place within the guild's one partition: a join would be planned by statistics, which a partition that has
        # just grown does not have, and may then look for each message of the guild among all of them.
        "DELETE FROM messages WHERE guild_id = $1 AND ctid = ANY (ARRAY("
        " SELECT ctid FROM messages WHERE guild_id = $1 AND generation <> $2"
        " AND generation IS DISTINCT FROM $3 LIMIT $4))",
        guild_id,
        guild.generation,
        guild.training_generation,
        _DELETED_AT_ONCE,
    )
    return int(status.rsplit(" ", 1)[1])
