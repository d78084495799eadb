"""What the bot says: an answer of the guild's chain, or why there is none."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markov_shard.bot.attachments import Attachments
from markov_shard.bot.blocked import BlockedWords
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.sending import MAX_TEXT
from markov_shard.bot.timing import Stage, note, waited
from markov_shard.chain import Answer, Chain, ChainError
from markov_shard.chain.answer import ONLY_COPIES
from markov_shard.errors import MarkovShardError
from markov_shard.fast_lines import FastLogger
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import TRACE, get_logger
from markov_shard.settings import Settings

_log = FastLogger(__name__)
_warnings = get_logger(__name__)
_records = logging.getLogger(__name__)

_BASELINE_SECONDS = 2.0  # the baseline chain answers in a thread; Discord gives an interaction three seconds

_BLOCKED_TRIES = 20  # answers thrown away for a blocked word before giving up

_ECHO_TRIES = 3  # answers thrown away for saying only what was just said before giving up

_ALL_BLOCKED = "Everything I could think of holds a word I may not say."

MOVING = "I am just moving house: please ask again in a few seconds."

ObserveStages = Callable[[int, Mapping[Stage, float]], None]
"""Told the guild, and how many seconds an answer's stages took: wait, open, choose."""


@dataclass(frozen=True)
class Reply:
    """A message's text (1 to 2,000 characters) and, when the chain had something to say, the answer behind it."""

    text: str
    answer: Answer | None = None
    attachment: str | None = None
    """The fresh URL of an attachment to carry."""


class Answers:
    """Answers for the guilds this process owns."""

    def __init__(
        self,
        guilds: Guilds,
        hosting: Hosting,
        settings: Settings,
        rng: random.Random,
        attachments: Attachments | None = None,
        observe: ObserveStages = lambda guild_id, stages: None,
    ) -> None:
        self._guilds = guilds
        self._hosting = hosting
        self._settings = settings
        self._rng = rng
        self._attachments = attachments
        self._blocked = BlockedWords(settings.blocked_words)
        self._observe = observe

    async def answer(self, guild_id: int, channel_id: int, seed: str | None = None, *, prompt: bool = False) -> Reply:
        """Says something in a channel; no database call when the guild's chain is in memory.

        An answer begins with the seed; as a `prompt`, what is more than a state long is only to be spoken to.
        Text from age-restricted channels is used in age-restricted channels only.
        """
        wait, started = waited(), time.perf_counter()
        owner = self._hosting.owner_of(guild_id)
        if owner is None:
            return Reply(MOVING)
        chain = await self._guilds.chain(guild_id, owner)
        restricted = self._guilds.is_restricted(guild_id) and await self._is_restricted(guild_id, channel_id)
        if restricted:
            chain = await self._guilds.chain(guild_id, owner, "all")
        opened = time.perf_counter()
        answer = await self._choose(chain, seed, prompt=prompt)
        chosen = time.perf_counter()
        stages: dict[Stage, float] = {"wait": wait, "open": opened - started, "choose": chosen - opened}
        note(stages)
        self._observe(guild_id, stages)
        guild, ms = str(guild_id), round((chosen - started) * 1000, 3)
        if isinstance(chain, Chain):
            _log.infos(
                ("Using optimized MarkovStore", {"guild": guild, "ms": round((opened - started) * 1000, 3)}),
                (
                    "Generated optimized response text",
                    {"guild": guild, "ms": ms, "tries": answer.tries, "score": answer.score},
                ),
            )
        else:
            _log.info("Generated response text", guild=guild, ms=ms, tries=answer.tries, score=answer.score)
        if not answer.text:
            return Reply(nothing_to_say(answer), answer)
        _records.log(TRACE, "answer", extra={"guild": guild, "text": answer.text})
        return Reply(answer.text[:MAX_TEXT], answer, await self._attachment(guild_id, answer, restricted=restricted))

    def speak(self, chain: Chain, seed: str | None, *, prompt: bool = False) -> Answer:
        """What a chain of the engine says, by the settings; never with a blocked word.

        To a prompt that only leads to what was said before, or back to itself, such as a greeting just learned, it says
        anything else.
        """
        answer = self._speak(chain, seed, prompt=prompt)
        echo = " ".join(seed.split()) if seed else ""
        if not prompt or not echo or answer.text not in ("", echo):
            return answer
        for _ in range(_ECHO_TRIES):
            answer = self._speak(chain, None, prompt=False)
            if answer.text != echo:
                return answer
        return Answer("", tries=answer.tries, reason=ONLY_COPIES)

    def _speak(self, chain: Chain, seed: str | None, *, prompt: bool) -> Answer:
        score, tries = self._settings.min_score, self._settings.max_tries
        budget = self._settings.answer_budget_ms / 1000
        for _ in range(_BLOCKED_TRIES):
            answer = chain.answer(
                rng=self._rng,
                seed=seed,
                min_score=score,
                max_tries=tries,
                prompt_tries=self._settings.prompt_tries if prompt else 0,
                deadline=time.thread_time() + budget,
                clock=time.thread_time,  # on a machine short of CPU another clock would run out before a try is made
            )
            if not answer.text or not self._blocked.within(answer.text):
                return answer
        return Answer("", tries=answer.tries, reason=_ALL_BLOCKED)

    async def _is_restricted(self, guild_id: int, channel_id: int) -> bool:
        intake = self._hosting.intake_of(guild_id)
        return intake is not None and await intake.is_restricted(guild_id, channel_id)

    async def _attachment(self, guild_id: int, answer: Answer, *, restricted: bool) -> str | None:
        if self._attachments is None or not self._attachments.wanted(guild_id):
            return None
        try:
            return await self._attachments.choose(guild_id, answer.sources, restricted=restricted)
        except (MarkovShardError, ChainError) as error:  # the words are answer enough
            _warnings.warning("no attachment could be chosen", guild=str(guild_id), reason=str(error))
            return None

    async def _choose(self, chain: Chain | BaselineChain, seed: str | None, *, prompt: bool) -> Answer:
        if isinstance(chain, Chain):
            return self.speak(chain, seed, prompt=prompt)
        score, tries = self._settings.min_score, self._settings.max_tries
        deadline = time.monotonic() + _BASELINE_SECONDS
        for _ in range(_BLOCKED_TRIES):
            answer = await chain.answer_apart(
                rng=self._rng, seed=seed, min_score=score, max_tries=tries, deadline=deadline
            )
            if not self._blocked.within(answer.text):
                return answer
        return Answer("", tries=answer.tries, reason=_ALL_BLOCKED)


def nothing_to_say(answer: Answer) -> str:
    """Why there is no answer, and what to do about it."""
    what_to_do = "Moderators: `/listen add` has me read a channel, `/train` its history."
    return f"I have nothing to say yet. {answer.reason}\n{what_to_do}"
