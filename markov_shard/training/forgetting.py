"""Making a deletion real everywhere: old images and their copies go, and guilds that are gone go altogether.

Rows and answers lose a message in the transaction that deletes it. Its words may still lie in the published image,
which names no author but holds a vocabulary: a new image is compiled, and every copy of the old ones removed.
"""

from collections.abc import Sequence

from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.image_cache import ImageCache
from markov_shard.shared.news import News, announce
from markov_shard.shared.queue import JobQueue
from markov_shard.store.generations import clear_guild
from markov_shard.store.guilds import lock_guild, read_guild
from markov_shard.store.images import ImageRow, chunks_of
from markov_shard.store.jobs import FORGOTTEN, forget_errors, forgotten_errors
from markov_shard.store.members import opt_out
from markov_shard.store.messages import count_messages
from markov_shard.store.pool import Connection
from markov_shard.store.upkeep import all_images, delete_guild, drop_old_images
from markov_shard.training.importing import drop_old
from markov_shard.training.requests import request_forget

_log = get_logger(__name__)


async def scrub_images(runtime: Runtime, guild_id: int) -> None:
    """Removes every image before the current one from Postgres and Redis, and has each host remove its files.

    Raises RedisUnavailableError, before anything in Postgres is gone, when Redis is away: to be tried again.
    """
    async with runtime.database.transaction() as connection:
        guild = await lock_guild(connection, guild_id)
        old = await drop_old_images(connection, guild_id)
        await _bury_cached(runtime, old)
        silent = await forgotten_errors(connection, guild_id)
    for audience in ("general", "all"):
        await ImageCache(runtime.redis).drop_before(guild_id, audience, guild.image_version)
    if silent:
        await JobQueue(runtime.redis, runtime.name).rewrite_letters(guild_id, silent, FORGOTTEN)
    await announce(runtime.redis, News(guild_id, "removal"))


async def clear_stored(runtime: Runtime, guild_id: int) -> int:
    """Makes a guild know nothing, whoever owns it; returns how many messages it had.

    Its owner hears of it at once, and drops what it had in memory.
    """
    async with runtime.database.transaction() as connection:
        guild = await lock_guild(connection, guild_id)
        count = await count_messages(connection, guild_id, guild.generation)
        await _bury_cached(runtime, await all_images(connection, guild_id))
        await clear_guild(connection, guild_id)
        await forget_errors(connection, guild_id)
    await announce(runtime.redis, News(guild_id, "purge"))
    await drop_old(runtime.database, guild_id)
    return count


async def purge_guild(runtime: Runtime, guild_id: int) -> int:
    """Deletes everything of a guild that removed the bot, its settings too; returns how many messages it had.

    Who opted out of being learned there stays opted out. Nothing is done for a guild that the bot is in again.
    """
    async with runtime.database.connection() as connection:
        if not (await read_guild(connection, guild_id)).has_left:
            _log.info("a guild is not purged: the bot is in it again", guild=str(guild_id))
            return 0
    count = await clear_stored(runtime, guild_id)
    async with runtime.database.transaction() as connection:
        await lock_guild(connection, guild_id)
        await delete_guild(connection, guild_id)
    await announce(runtime.redis, News(guild_id, "purge"))
    _log.info("a guild is purged", guild=str(guild_id), messages=count)
    return count


async def _bury_cached(runtime: Runtime, images: Sequence[ImageRow]) -> None:
    cache = ImageCache(runtime.redis)
    for image in images:
        await cache.bury(image.guild_id, image.audience, image.version, chunks_of(image))


class _Nobody(Owner):
    """For a change that the guild's row lock orders, whoever owns the guild."""

    async def require(self, connection: Connection) -> None:
        return


async def forget_author(runtime: Runtime, guild_id: int, user_id: int, *, never_again: bool = False) -> int:
    """Unlearns everything stored of a member; returns how many messages. Its owner hears of it, and compiles anew."""
    if never_again:
        async with runtime.database.connection() as connection:
            await opt_out(connection, guild_id, user_id)
    settings = runtime.settings
    files = ImageFiles(settings.data_dir / "images")
    opener = ChainOpener(runtime.database, ImageCache(runtime.redis), files, settings.state_size)
    learner = Learner(runtime.database, debounce=60, batch_size=settings.batch_size)
    guilds = Guilds(runtime.database, opener, learner, memory_limit=1 << 30)
    count = await guilds.remove_author(guild_id, _Nobody(0, 1, 0), user_id)
    async with runtime.database.connection() as connection:
        await forget_errors(connection, guild_id)
    await announce(runtime.redis, News(guild_id, "removal", user_id))
    await request_forget(runtime, guild_id)
    return count
