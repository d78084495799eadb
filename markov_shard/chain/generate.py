"""Candidates for an answer, over image and overlay."""

from collections.abc import Iterator

from markov_shard.chain.answer import Answer, Candidate
from markov_shard.chain.hashing import fingerprint
from markov_shard.chain.lower import lower_walk
from markov_shard.chain.overlay import Overlay
from markov_shard.chain.prompt import Prompt
from markov_shard.chain.row import SOURCE_BITS
from markov_shard.chain.seeds import Start, starts
from markov_shard.chain.walk import Random, draw, raw_walk, walk

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
            reached = raw_walk(image, random, limit)
            return "" if reached is None else image.text(map(image.token_of.__getitem__, reached))
        found = self._walk(0, random, limit)
        return "" if found is None else self._text(list(map(self._overlay.token_of, found[0])))

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
                reached, taken, score = found
                tokens = [*overlay.spelled(state), *map(overlay.token_of, reached)]
                shared = prompt.relevance(tokens)
                if (shared, score >= min_score) > rank and tuple(tokens) != prompt.tokens and self._is_new(tokens):
                    rank = shared, score >= min_score
                    used = " ".join(prompt.words[place] for place in sorted(prompt.shared(tokens))) or None
                    best = Candidate(tokens, taken, score, overlay.state_size, used)
            yield best

    def answer(self, candidate: Candidate, tries: int) -> Answer:
        """The candidate as it is handed out."""
        sources = dict.fromkeys(
            source
            for source in map(self._source, candidate.taken)
            if source is not None and source not in self._overlay.forgotten
        )
        return Answer(
            self._text(candidate.tokens),
            candidate.score,
            tries,
            candidate.order,
            candidate.seed_used,
            tuple(sources),
        )

    def _candidate(self, random: Random, start: Start, order: int, limit: int) -> Candidate | None:
        state, prefix = start.choose(random)
        overlay = self._overlay
        if order == overlay.state_size:
            found = self._walk(state, random, limit)
            if found is None:
                return None
            reached, taken, score = found
            tokens = [*prefix, *map(overlay.token_of, reached)]
        else:
            lower = lower_walk(overlay, prefix, order, random, limit)
            if lower is None:
                return None
            tokens, taken, score = lower
        if not self._is_new(tokens):
            return None
        return Candidate(tokens, taken, score, order, start.used)

    def _is_new(self, tokens: list[int]) -> bool:
        """Whether this is a message, and none of those learned."""
        overlay = self._overlay
        return bool(tokens) and overlay.copies(fingerprint([overlay.hash_of(token) for token in tokens])) < 1

    def _walk(self, state: int, random: Random, limit: int) -> tuple[list[int], list[int], int] | None:
        """As `walk`, over image and overlay."""
        overlay = self._overlay
        image, rows = overlay.image, overlay.rows
        if not rows:
            assert image is not None
            return walk(image, state, random, limit)
        reached: list[int] = []
        taken: list[int] = []
        score = 0
        for _ in range(limit + 1):
            row = rows.get(state)
            if row is None:
                assert image is not None
                transition, item = draw(image, state, random), -1
                successors = image.row[state + 1] - image.row[state]
            else:
                if not row.successors:
                    return None
                transition, item = row.draw(image, state, random)
                successors = row.successors
            if state:
                score += successors - 1
            if item < 0:
                assert image is not None
                taken.append(transition)
                state = image.dest[transition]
            else:
                taken.append(-1 - item)
                state = item >> SOURCE_BITS
            if not state:
                return reached, taken, score
            reached.append(state)
        return None

    def _source(self, taken: int) -> int | None:
        if taken < 0:
            return self._overlay.source_of(-1 - taken)
        return self._overlay.image.source(taken) if self._overlay.image else None

    def _text(self, tokens: list[int]) -> str:
        image = self._overlay.image
        if image is not None and max(tokens) <= image.vocabulary:
            return image.text(tokens)
        return " ".join(map(self._overlay.word, tokens))
