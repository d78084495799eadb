"""A chain image counted from the stored messages, for a guild that has none: in a process of the pool, or a thread."""

import asyncio

from markov_shard.chain import Compiler
from markov_shard.store.guilds import GuildRow
from markov_shard.store.images import Audience
from markov_shard.store.messages import stream_messages
from markov_shard.store.pool import Database
from markov_shard.store.snapshots import use_snapshot

_BATCH = 5000


def count_messages(
    database_url: str, snapshot: str, guild: GuildRow, audience: Audience, state_size: int, path: str
) -> None:
    """Writes the image of the messages that the exported `snapshot` shows to `path`; runs a loop of its own.

    The snapshot's transaction must stay open until this is done.
    """
    asyncio.run(_count(database_url, snapshot, guild, audience, state_size, path))


async def _count(
    database_url: str, snapshot: str, guild: GuildRow, audience: Audience, state_size: int, path: str
) -> None:
    async with (
        await Database.open(database_url, size=1, name="count") as database,
        database.transaction(isolation="repeatable_read", readonly=True) as connection,
    ):
        await use_snapshot(connection, snapshot)
        compiler = Compiler(state_size)
        async for batch in stream_messages(
            connection, guild.guild_id, guild.generation, after_seq=-1, up_to_seq=guild.learned_seq, batch=_BATCH
        ):
            counted = [message for message in batch if audience == "all" or not message.nsfw]
            compiler.add([m.content for m in counted], [m.message_id for m in counted])
        with open(path, "wb") as file:  # noqa: ASYNC230, PTH123 - nothing else runs on this loop
            file.write(compiler.finish().data)
