"""Who wrote imported messages: asked of Discord, page by page, where a file did not tell.

Forgetting a member reaches only what is known to be theirs; what cannot be read any more is counted, so that the
bot can say so.
"""

from collections.abc import Sequence
from itertools import takewhile

import hikari

from markov_shard.logs import get_logger
from markov_shard.rest import explained
from markov_shard.store.authors import Unknown, authorless, count_authorless, set_authors
from markov_shard.store.claims import require_claim
from markov_shard.store.jobs import Job
from markov_shard.store.ledger import Chunk, last_chunk, record_chunk
from markov_shard.store.pool import Database
from markov_shard.training.discord_pages import MAY_NOT, Pages
from markov_shard.training.removing import Remover
from markov_shard.training.turns import Turn

_log = get_logger(__name__)


class Authors:
    """Fills one guild's missing authors for one job, whose `messages` counts those found, `skipped` those not."""

    def __init__(self, pages: Pages, database: Database, job: Job, *, turn: Turn, remover: Remover) -> None:
        self._pages = pages
        self._database = database
        self._job = job
        self._turn = turn
        self._remover = remover

    async def apply(self) -> None:
        """Looks up every message that has an ID and a channel of Discord's and no author.

        Raises DiscordUnavailableError when Discord is away, TurnOverError when others are to go ahead.
        """
        async with self._database.connection() as connection:
            done = await last_chunk(connection, self._job)
        number = done.chunk_no + 1 if done else 0
        channel, before = (int(done.position["channel"]), int(done.position["before"])) if done else (0, 0)
        while True:
            async with self._database.connection() as connection:
                wanted = await authorless(connection, self._job.guild_id, channel, before)
            if not wanted:
                return
            channel = wanted[0].channel_id
            page = list(takewhile(lambda one: one.channel_id == channel, wanted))  # noqa: B023 - used up at once
            try:
                before = await self._fill(number, channel, page)
            except hikari.HikariError as error:
                raise explained(error) from error
            number += 1
            await self._turn.check()

    async def _fill(self, number: int, channel: int, wanted: Sequence[Unknown]) -> int:
        """One page of Discord's, from the newest wanted message downwards; returns where the next begins."""
        newest = wanted[0].message_id
        page: Sequence[hikari.Message] = []
        try:
            page = await self._pages.before(channel, newest + 1)
        except MAY_NOT:
            _log.info("a channel's authors cannot be looked up", channel=str(channel))
        reached = int(page[-1].id) if len(page) == self._pages.size else 0  # below it, this page says nothing
        authors = {int(message.id): int(message.author.id) for message in page}
        covered = [one.message_id for one in wanted if one.message_id >= reached]
        before = max(reached, min(covered)) if reached else 0
        async with self._database.transaction() as connection:
            await require_claim(connection, self._job)
            searched = await count_authorless(connection, self._job.guild_id, channel, newest + 1)
            if reached:
                searched -= await count_authorless(connection, self._job.guild_id, channel, before)
            unwanted = await set_authors(connection, self._job.guild_id, authors)
            left = await count_authorless(connection, self._job.guild_id, channel, newest + 1)
            if reached:
                left -= await count_authorless(connection, self._job.guild_id, channel, before)
            position = {"channel": str(channel), "before": str(before)}
            await record_chunk(connection, self._job, Chunk(number, searched - left, left, position))
        if unwanted:
            await self._remover.remove(unwanted)
        return before
