"""The reference chain: a dict of counters. Obviously right, and slow."""

import random as randomness
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from markov_shard.chain.answer import (
    MAX_TRIES,
    MAX_WORDS,
    MIN_SCORE,
    NOTHING_LEARNED,
    ONLY_COPIES,
    OUT_OF_TIME,
    PROMPT_TRIES,
    Answer,
    expiry,
)
from markov_shard.chain.errors import NotLearnedError
from markov_shard.chain.image import Transition
from markov_shard.chain.text import MessageLike, checked_state_size, id_of, shown, text_of, tokens_of

State = tuple[str, ...]


class ReferenceChain:
    """What `Chain` must equal: the counted multiset of transitions of the live messages."""

    def __init__(self, messages: Iterable[MessageLike] = (), state_size: int = 2) -> None:
        self.state_size = checked_state_size(state_size)
        self._counts: defaultdict[State, Counter[str | None]] = defaultdict(Counter)
        self._messages: Counter[State] = Counter()
        self._ids: defaultdict[tuple[State, str | None], list[int]] = defaultdict(list)
        for message in messages:
            self.learn(message)

    @property
    def messages(self) -> int:
        """Live messages."""
        return self._messages.total()

    @property
    def tokens(self) -> int:
        """Tokens of the live messages."""
        return sum(len(words) * times for words, times in self._messages.items())

    def steps(self, words: list[str]) -> list[tuple[State, str | None]]:
        """The transitions of one message, in order."""
        path: list[tuple[State, str | None]] = []
        state: State = ()
        for word in words:
            path.append((state, word))
            state = (*state, word)[-self.state_size :]
        path.append((state, None))
        return path

    def learn(self, message: MessageLike) -> None:
        """Count a message's transitions."""
        words = tokens_of(message)
        if not words:
            return
        identity = id_of(message)
        self._messages[tuple(words)] += 1
        for state, successor in self.steps(words):
            self._counts[state][successor] += 1
            if identity is not None:
                self._ids[state, successor].append(identity)

    def unlearn(self, message: MessageLike) -> None:
        """Take a learned message's transitions back. Raises NotLearnedError where it was not learned."""
        words = tokens_of(message)
        if not words:
            return
        if not self._messages[tuple(words)]:
            raise NotLearnedError(f"the message {shown(text_of(message))} is not in the chain")
        identity = id_of(message)
        self._messages[tuple(words)] -= 1
        for state, successor in self.steps(words):
            self._counts[state][successor] -= 1
            if identity in self._ids[state, successor]:
                self._ids[state, successor].remove(identity)

    def transitions(self) -> Iterator[Transition]:
        """Each (state, successor, count) with a count above zero."""
        for state, successors in self._counts.items():
            for successor, count in successors.items():
                if count:
                    yield state, successor, count

    def answer(
        self,
        rng: randomness.Random | None = None,
        seed: str | None = None,
        *,
        min_score: int = MIN_SCORE,
        max_tries: int = MAX_TRIES,
        max_words: int = MAX_WORDS,
        prompt_tries: int = PROMPT_TRIES,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Answer:
        """As `Chain.answer`, with a linear weighted choice at each step.

        It does not fall back to a lower order, and has no ear for prompts: a long seed begins the text as a short
        one does, and `prompt_tries` is without effect.
        """
        rng = rng or randomness.Random()
        if not self.messages:
            return Answer("", reason=NOTHING_LEARNED)
        expired = expiry(deadline, clock)
        starts, used = self._starts(seed.split() if seed else [])
        best: Answer | None = None
        tries, late = 0, False
        while tries < max_tries and not late:
            tries += 1
            found = self._candidate(rng, starts, used, max_words)
            if found is not None and (best is None or found.score > best.score):
                best = found
                if best.score >= min_score:
                    break
            late = expired()
        if best is None:
            return Answer("", tries=tries, reason=OUT_OF_TIME if late or not tries else ONLY_COPIES)
        return Answer(best.text, best.score, tries, best.order, best.seed_used, trace=best.trace)

    def _candidate(self, rng: randomness.Random, starts: list[State], used: State, max_words: int) -> Answer | None:
        state = rng.choice(starts)
        words = list(used)
        score, sources = 0, dict[int, None]()
        for _ in range(max_words + 1):
            live = {successor: count for successor, count in self._counts[state].items() if count}
            if not live:
                return None
            successor = rng.choices(list(live), list(live.values()))[0]
            if state:
                score += len(live) - 1
            if ids := self._ids[state, successor]:
                sources[rng.choice(ids)] = None
            if successor is None:
                if self._messages[tuple(words)]:
                    return None
                text, seed_used = " ".join(words), " ".join(used) or None
                return Answer(text, score, 1, self.state_size, seed_used, trace=partial(tuple, sources))
            words.append(successor)
            state = (*state, successor)[-self.state_size :]
        return None

    def _starts(self, words: list[str]) -> tuple[list[State], State]:
        """The states that end in the longest known run of the seed's words, and that run."""
        live = [state for state, successors in self._counts.items() if state and any(successors.values())]
        for length in range(min(len(words), self.state_size), 0, -1):
            runs = [tuple(words[place : place + length]) for place in range(len(words) - length + 1)]
            known = [(run, found) for run in runs if (found := [state for state in live if state[-length:] == run])]
            if known:
                run, found = min(known, key=lambda pair: len(pair[1]))
                return found, run
        return [()], ()
