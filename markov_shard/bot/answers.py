"""What the bot says: an answer of the guild's chain, or why there is none."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from markov_shard.bot.hosting import Hosting
from markov_shard.chain import Answer
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.settings import Settings

_log = get_logger(__name__)


@dataclass(frozen=True)
class Reply:
    """A message's text (1 to 2,000 characters) and, when the chain had something to say, the answer behind it."""

    text: str
    answer: Answer | None = None


class Answers:
    """Answers for the guilds this process owns."""

    def __init__(
        self,
        guilds: Guilds,
        hosting: Hosting,
        settings: Settings,
        rng: random.Random,
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`observe` is told how many seconds each answer took to choose."""
        self._guilds = guilds
        self._hosting = hosting
        self._settings = settings
        self._rng = rng
        self._observe = observe

    async def answer(self, guild_id: int, seed: str | None = None) -> Reply:
        """Says something; no database call when the guild's chain is in memory."""
        started = time.perf_counter()
        owner = self._hosting.owner_of(guild_id)
        if owner is None:
            return Reply("I am just moving house: please ask again in a few seconds.")
        chain = await self._guilds.chain(guild_id, owner)
        answer = chain.answer(
            rng=self._rng, seed=seed, min_score=self._settings.min_score, max_tries=self._settings.max_tries
        )
        seconds = time.perf_counter() - started
        self._observe(seconds)
        _log.debug(
            "Generated optimized response text", guild=str(guild_id), ms=round(seconds * 1000, 3), tries=answer.tries
        )
        if not answer.text:
            return Reply(
                f"I have nothing to say yet: {answer.reason}. Choose channels with `/listen add`, or `/train` me.",
                answer,
            )
        return Reply(answer.text[:2000], answer)
