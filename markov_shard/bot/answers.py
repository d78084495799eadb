"""What the bot says: an answer of the guild's chain, or why there is none."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from markov_shard.bot.hosting import Hosting
from markov_shard.chain import Answer, Chain
from markov_shard.fast_lines import FastLogger
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.registry import Guilds
from markov_shard.settings import Settings

_log = FastLogger(__name__)

_BASELINE_SECONDS = 2.0  # the baseline chain answers in a thread; Discord gives an interaction three seconds

Stage = Literal["open", "choose", "total"]
"""Of an answer: having the guild's chain in memory, choosing what to say, and both."""


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
        observe: Callable[[int, Stage, float], None] = lambda guild_id, stage, seconds: None,
    ) -> None:
        """`observe` is told how many seconds each stage of a guild's answer took."""
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
        opened = time.perf_counter()
        answer = await self._choose(chain, seed)
        chosen = time.perf_counter()
        self._observe(guild_id, "open", opened - started)
        self._observe(guild_id, "choose", chosen - opened)
        self._observe(guild_id, "total", chosen - started)
        guild, ms = str(guild_id), round((chosen - started) * 1000, 3)
        if isinstance(chain, Chain):
            _log.info("Using optimized MarkovStore", guild=guild, ms=round((opened - started) * 1000, 3))
            _log.info("Generated optimized response text", guild=guild, ms=ms, tries=answer.tries, score=answer.score)
        else:
            _log.info("Generated response text", guild=guild, ms=ms, tries=answer.tries, score=answer.score)
        if not answer.text:
            return Reply(
                f"I have nothing to say yet: {answer.reason}. Choose channels with `/listen add`, or `/train` me.",
                answer,
            )
        return Reply(answer.text[:2000], answer)

    async def _choose(self, chain: Chain | BaselineChain, seed: str | None) -> Answer:
        score, tries = self._settings.min_score, self._settings.max_tries
        if isinstance(chain, Chain):
            return chain.answer(rng=self._rng, seed=seed, min_score=score, max_tries=tries)
        deadline = time.monotonic() + _BASELINE_SECONDS
        return await chain.answer_apart(rng=self._rng, seed=seed, min_score=score, max_tries=tries, deadline=deadline)
