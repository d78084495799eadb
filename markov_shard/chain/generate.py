"""Candidates for an answer, over image and overlay."""

from collections.abc import Iterator, Sequence
from functools import partial

from markov_shard.chain.answer import Answer, Candidate
from markov_shard.chain.errors import INSIDE
from markov_shard.chain.hashing import fingerprint
from markov_shard.chain.lower import lower_walk
from markov_shard.chain.overlay import Overlay
from markov_shard.chain.prompt import Prompt
from markov_shard.chain.seeds import Start, starts
from markov_shard.chain.walk import Random, draw, score_along, tokens_along, walk

PATIENCE = 64  # candidates in a row that are copies before the walk goes by fewer tokens of context


class Generator:
    """Walks over one overlay."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay

    def walk(self, random: Random, limit: int) -> str:
        """One walk's text, unfiltered; "" where it passed `limit` tokens."""
        if self._overlay.messages < 1:
            return ""
        image = self._overlay.image
        if image is not None and not self._overlay.rows:
            reached = walk(image, 0, random, limit)
            return image.text(tokens_along(image, reached)) if reached else ""
        found = self._walk(0, random, limit)
        return self._text(self._tokens(found[0])) if found and found[0] else ""

    def candidates(self, random: Random, seed: str | None, max_tries: int, limit: int) -> Iterator[Candidate | None]:
        """At most `max_tries` of them; None stands for one that is a copy, too long or a dead end."""
        start = starts(self._overlay, seed) if seed else Start.anywhere()
        order = self._overlay.state_size
        left = max_tries
        while left > 0:
            share = min(left, PATIENCE) if order > 1 else left
            found = False
            for _ in range(share):
                candidate = self._candidate(random, start, order, limit)
                found = found or candidate is not None
                yield candidate
            left -= share
            if not found and order > 1:
                order -= 1

    def prompted(
        self, random: Random, prompt: Prompt, tries: int, limit: int, min_score: int
    ) -> Iterator[Candidate | None]:
        """After each of `tries` candidates the one so far that says most about the prompt.

        Among those that say as much, one at `min_score` or above goes before one below. What would not be the best
        is not even compared with the learned messages.
        """
        overlay = self._overlay
        best: Candidate | None = None
        rank = (-1, False)
        for _ in range(tries):
            state, _ = prompt.start(random).choose(random)
            found = self._walk(state, random, limit)
            if found is not None:
                reached, added = found
                tokens = (*overlay.spelled(state), *self._tokens(reached))
                shared = prompt.relevance(tokens)
                if (shared, True) > rank and tokens != prompt.tokens:
                    candidate = self._told(state, reached, added, tokens)
                    if (shared, candidate.score >= min_score) > rank and self._is_new(tokens):
                        rank = shared, candidate.score >= min_score
                        used = " ".join(prompt.words[place] for place in sorted(prompt.shared(tokens)))
                        candidate.seed_used = used or None
                        best = candidate
            yield best

    def answer(self, candidate: Candidate, tries: int) -> Answer:
        """The candidate as it is handed out."""
        return Answer(
            self._text(candidate.tokens),
            candidate.score,
            tries,
            candidate.order,
            candidate.seed_used,
            trace=partial(self._sources, candidate),
        )

    def _candidate(self, random: Random, start: Start, order: int, limit: int) -> Candidate | None:
        state, prefix = start.choose(random)
        overlay = self._overlay
        if order == overlay.state_size:
            found = self._walk(state, random, limit)
            if found is None:
                return None
            reached, added = found
            tokens = (*prefix, *self._tokens(reached))
            if not self._is_new(tokens):
                return None
            candidate = self._told(state, reached, added, tokens)
        else:
            lower = lower_walk(overlay, prefix, order, random, limit)
            if lower is None or not self._is_new(lower.tokens):
                return None
            candidate = lower
        candidate.seed_used = start.used
        return candidate

    def _told(self, state: int, reached: list[int], added: dict[int, int], tokens: Sequence[int]) -> Candidate:
        """The candidate that a walk from this state makes."""
        score, order = self._score(state, reached), self._overlay.state_size
        return Candidate(tokens, [state, *reached], [*reached, 0], added, score, order)

    def _score(self, state: int, reached: list[int]) -> int:
        """The sum of (successors - 1) over the steps taken from any state but the empty one."""
        overlay = self._overlay
        left = [state, *reached] if state else reached
        if overlay.image is not None and not overlay.rows:
            return score_along(overlay.image, left)
        return sum(map(overlay.rows.successors, left)) - len(left)

    def _tokens(self, states: list[int]) -> Sequence[int]:
        overlay = self._overlay
        if overlay.image is not None and not overlay.rows:
            return tokens_along(overlay.image, states)
        return list(map(overlay.token_of, states))

    def _is_new(self, tokens: Sequence[int]) -> bool:
        """Whether this is a message, and none of those learned."""
        overlay = self._overlay
        return bool(tokens) and overlay.copies(fingerprint(overlay.hashes_of(tokens))) < 1

    def _walk(self, state: int, random: Random, limit: int) -> tuple[list[int], dict[int, int]] | None:
        """As `walk`, over image and overlay; with it, by step, the packed additions that were taken."""
        overlay = self._overlay
        image, rows = overlay.image, overlay.rows
        full, singles = rows.full, rows.singles
        added: dict[int, int] = {}
        if not overlay.rows:
            assert image is not None
            states = walk(image, state, random, limit)
            return None if states is None else (states, added)
        reached: list[int] = []
        for step in range(limit + 1):
            if state in full or state in singles:
                found = rows.draw(state, random)
                if found is None:
                    return None
                state, item = found
                if item >= 0:
                    added[step] = item
            else:
                assert image is not None
                state = draw(image, state, random)
            if not state:
                return reached, added
            reached.append(state)
        return None

    def _sources(self, candidate: Candidate) -> tuple[int, ...]:
        """Messages that its steps were seen in, as far as they are known and not forgotten.

        Raises DamagedImageError where the image does not have such steps.
        """
        with INSIDE:
            return tuple(dict.fromkeys(self._steps_sources(candidate)))

    def _steps_sources(self, candidate: Candidate) -> Iterator[int]:
        overlay = self._overlay
        image = overlay.image
        for step, (state, dest) in enumerate(zip(candidate.left, candidate.entered, strict=True)):
            source: int | None = None
            if step in candidate.added:
                source = overlay.source_of(candidate.added[step])
            elif image is not None:
                source = image.source(image.between(state, dest))
            if source is not None and source not in overlay.forgotten:
                yield source

    def _text(self, tokens: Sequence[int]) -> str:
        image = self._overlay.image
        if image is not None and max(tokens) <= image.vocabulary:
            return image.text(tokens)
        return " ".join(map(self._overlay.word, tokens))
