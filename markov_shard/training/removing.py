"""Unlearning from a worker: what turns out, while a job runs, to be gone or not to be known."""

from collections.abc import Sequence

from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.removal import PublishedImage, StaleImageError, remove_messages
from markov_shard.runtime import Runtime
from markov_shard.shared.image_cache import ImageCache
from markov_shard.shared.news import News, announce
from markov_shard.store.claims import require_claim
from markov_shard.store.images import current_images
from markov_shard.store.jobs import Job
from markov_shard.store.messages import messages_of_channels

_AT_ONCE = 1000


class Remover:
    """Removes messages of a job's guild, as its owner does when members delete them."""

    def __init__(self, runtime: Runtime, job: Job) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._job = job
        self._opener = ChainOpener(
            runtime.database, ImageCache(runtime.redis), ImageFiles(settings.data_dir / "images"), settings.state_size
        )

    async def remove(self, message_ids: Sequence[int]) -> None:
        """Deletes the messages, their part in the published images included, and tells the owner."""
        guild_id = self._job.guild_id
        while True:
            async with self._runtime.database.connection() as connection:
                rows = await current_images(connection, guild_id)
                published = {
                    audience: PublishedImage(row, await self._opener.image(connection, row))
                    for audience, row in rows.items()
                }
            try:
                async with self._runtime.database.transaction() as connection:
                    await require_claim(connection, self._job)
                    await remove_messages(connection, guild_id, message_ids, published)
            except StaleImageError:
                continue
            await announce(self._runtime.redis, News(guild_id, "removal"))
            return

    async def remove_channel(self, channel_id: int) -> None:
        """Deletes everything that was said in a channel or thread which does not exist any more."""
        while True:
            async with self._runtime.database.connection() as connection:
                found = await messages_of_channels(connection, self._job.guild_id, [channel_id], limit=_AT_ONCE)
            if not found:
                return
            await self.remove(found)
