"""What was learned and unlearned since the image, as small structures over it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from zlib import crc32

from markov_shard.chain.errors import NotLearnedError
from markov_shard.chain.hashing import fingerprint
from markov_shard.chain.image import Image, Transition
from markov_shard.chain.row import SOURCE_MASK, Row
from markov_shard.chain.rows import Rows, Step
from markov_shard.chain.text import shown


class Overlay:
    """Changes over an image, or over nothing (`image` None).

    Tokens and states beyond the image's are numbered on from its last ones.
    """

    def __init__(self, image: Image | None, state_size: int) -> None:
        self.image = image
        self.state_size = state_size
        self.rows = Rows(image)
        self.messages = image.messages if image else 0
        self.tokens = image.tokens if image else 0
        self.size = 0  # transitions learned or removed since the image
        self.sources: list[int | None] = [None]
        self.forgotten: set[int] = set()
        self._words: list[str] = []
        self._hashes: list[int] = []
        self._numbers: dict[str, int] = {}
        self._folds: dict[str, list[int]] = {}
        self._first_token = image.vocabulary + 1 if image else 1
        self._first_state = image.states if image else 1
        self._states: dict[tuple[int, ...], int] = {(): 0} if image is None else {}
        self._spelled: list[tuple[int, ...]] = []
        self._ending: dict[int, list[int]] = {}  # last token -> states of the overlay
        self._prints: dict[int, int] = {}  # fingerprint -> messages learned (or, below 0, removed)

    # --- tokens

    def token(self, word: str) -> int:
        """The word's token, or 0."""
        number = self._numbers.get(word, 0)
        return number or (self.image.token(word) if self.image else 0)

    def word(self, token: int) -> str:
        """The token's word."""
        if token < self._first_token:
            assert self.image is not None
            return self.image.word(token)
        return self._words[token - self._first_token]

    def hash_of(self, token: int) -> int:
        """The hash of the token's word."""
        if token < self._first_token:
            assert self.image is not None
            return self.image.hash_of(token)
        return self._hashes[token - self._first_token]

    def hashes_of(self, tokens: Sequence[int]) -> list[int]:
        """The hashes of some tokens' words."""
        if self.image is not None and max(tokens) < self._first_token:
            return self.image.hashes_of(tokens)
        return [self.hash_of(token) for token in tokens]

    def folded(self, word: str) -> list[int]:
        """The tokens that equal the word but for case."""
        fold = word.casefold()
        return (self.image.folded(word) if self.image else []) + self._folds.get(fold, [])

    def _tokens(self, words: Sequence[str], hashes: Sequence[int]) -> tuple[list[int], dict[str, int]]:
        """The words' tokens, and those among them that unknown words would get."""
        new: dict[str, int] = {}
        known, image = self._numbers, self.image
        following = self._first_token + len(self._words)
        tokens = list(map((image.spoken if image is not None else known).get, words, repeat(0)))
        for place, token in enumerate(tokens):
            if not token:
                word = words[place]
                token = known.get(word, 0) or (image.token_hashed(word, hashes[place]) if image is not None else 0)
                tokens[place] = token or new.setdefault(word, following + len(new))
        return tokens, new

    def _add_words(self, new: Mapping[str, int]) -> None:
        self._numbers.update(new)
        for word, number in new.items():
            self._words.append(word)
            self._hashes.append(crc32(word.encode()))
            self._folds.setdefault(word.casefold(), []).append(number)

    @property
    def vocabulary(self) -> int:
        """Different words of image and overlay."""
        return self._first_token - 1 + len(self._words)

    # --- states

    @property
    def states(self) -> int:
        """States of image and overlay together, those that nothing leads to any more included."""
        return self._first_state + len(self._spelled)

    def state(self, tokens: tuple[int, ...]) -> int:
        """The state of exactly these tokens, or -1."""
        found = self._states.get(tokens, -1)
        if found < 0 and self.image is not None and max(tokens, default=0) < self._first_token:
            found = self.image.state(tokens)
        return found

    def spelled(self, state: int) -> tuple[int, ...]:
        """A state's tokens, oldest first."""
        if state >= self._first_state:
            return self._spelled[state - self._first_state]
        return self.image.tokens_of_state(state) if self.image else ()

    def token_of(self, state: int) -> int:
        """A state's last token (0 for the empty state)."""
        if state >= self._first_state:
            return self._spelled[state - self._first_state][-1]
        return self.image.token_of[state] if self.image else 0

    def ending(self, tokens: Sequence[int]) -> list[int]:
        """The overlay's own states that end in these tokens."""
        wanted = tuple(tokens)
        return [state for state in self._ending.get(wanted[-1], ()) if self.spelled(state)[-len(wanted) :] == wanted]

    def _add_states(self, new: Mapping[tuple[int, ...], int]) -> None:
        self._states.update(new)
        for tokens, state in new.items():
            self._spelled.append(tokens)
            self._ending.setdefault(tokens[-1], []).append(state)

    # --- rows

    def find(self, state: int, token: int) -> int:
        """The image's transition from a state through a token, or -1."""
        if self.image is None or state >= self._first_state or token >= self._first_token:
            return -1
        return self.image.find(state, token)

    def left(self, transition: int, row: Row | None) -> int:
        """Live occurrences of an image transition."""
        return self._count(transition) - (row.lost(transition) if row else 0)

    def _count(self, transition: int) -> int:
        return self.image.count(transition) if self.image is not None and transition >= 0 else 0

    def copies(self, print_: int) -> int:
        """How many live messages have this fingerprint."""
        return (self.image.copies(print_) if self.image else 0) + self._prints.get(print_, 0)

    def successors(self, state: int) -> Iterator[int]:
        """The distinct tokens that follow a state now (0 for the end)."""
        row = self.rows.row(state)
        image = self.image
        additions = dict(row.additions()) if row else {}
        if image is not None and state < self._first_state:
            for transition in range(image.row[state], image.row[state + 1]):
                dest = image.dest[transition]
                if self.left(transition, row):
                    additions.pop(dest, None)
                    yield image.token_of[dest]
        yield from map(self.token_of, additions)

    @property
    def nbytes(self) -> int:
        """An estimate of its memory: measured averages of CPython's objects."""
        additions = self.size * 44
        return additions + self.rows.nbytes + len(self._spelled) * 300 + len(self._words) * 400

    # --- changes

    # All that a change needs of the image is read before anything is changed: a damaged image leaves it undone.

    def learn(self, words: Sequence[str], identity: int | None) -> None:
        """One more message of at least one word."""
        hashes = list(map(crc32, map(str.encode, words)))
        tokens, words_new = self._tokens(words, hashes)
        states_new: dict[tuple[int, ...], int] = {}
        path = self._path(tokens, states_new)
        outgrown, gone = self.rows.outgrown(path), self._gone(path) if self.rows.have_losses else set[int]()
        print_ = fingerprint(hashes)
        if words_new:
            self._add_words(words_new)
        if states_new:
            self._add_states(states_new)
        self.rows.keep(outgrown)
        source = 0
        if identity is not None:
            source = len(self.sources)
            self.sources.append(identity)
            self.forgotten.discard(identity)
        self.rows.add(path, source, gone)
        self._changed(len(tokens), print_, 1)

    def _gone(self, path: Sequence[Step]) -> set[int]:
        """The image's transitions of a path that have no occurrence left."""
        steps = [(transition, self.rows.full.get(state)) for state, _, transition in path if transition >= 0]
        return {transition for transition, row in steps if row and not self.left(transition, row)}

    def _path(self, tokens: Sequence[int], new: dict[tuple[int, ...], int] | None = None) -> list[Step]:
        """A message's path. States that are not there are put into `new`, with the numbers they would get.

        Without `new`, raises NotLearnedError where the chain has no such path.
        """
        path: list[Step] = []
        image, size, known = self.image, self.state_size, self._states
        first_state, first_token = self._first_state, self._first_token
        if image is not None:
            row, row_end, dests = image.row, image.row_end, image.dest
            token_states, token_of = image.token_states, image.token_of
        state, following = 0, self.states
        for place, token in enumerate((*tokens, 0), 1):
            transition, dest = -1, 0
            if image is not None and state < first_state and token < first_token:
                # `image.find`, written out: a call a step would cost more than the step.
                low, high = row[state], row_end[state]
                if token and high - low > 1:
                    low = bisect_left(dests, token_states[token], low, high)
                if low < high and token_of[dests[low]] == token:
                    transition, dest = low, dests[low]
            if transition < 0 and token:
                context = tuple(tokens[max(0, place - size) : place])
                dest = known.get(context, -1)
                if dest < 0 and image is not None and max(context) < first_token:
                    dest = image.state(context)
                if dest < 0 and new is not None:
                    dest = new.setdefault(context, following + len(new))
                elif dest < 0:
                    words = " ".join(map(self.word, self.spelled(state)))
                    raise NotLearnedError(f"no transition to {shown(self.word(token))} after {shown(words)}")
            path.append((state, dest, transition))
            state = dest
        return path

    def unlearn(self, tokens: Sequence[int], identity: int | None, name: str) -> None:
        """One message less; raises NotLearnedError, and changes nothing, where it is not all there."""
        print_ = fingerprint(self.hashes_of(tokens))
        if self.copies(print_) < 1:
            raise NotLearnedError(f"{name} is not in the chain")
        path = self._path(tokens)
        counts = {transition: self._count(transition) for _, _, transition in path}
        rows, outgrown = self.rows, dict[int, Row]()
        weights = {state: rows.image_weight(state) for state, _, transition in path if transition >= 0}
        for (state, dest, transition), times in Counter(path).items():
            row = rows.full.get(state) or outgrown.get(state)
            if row is None:
                outgrown[state] = row = rows.row(state) or Row(self.image, state)
            if counts[transition] + row.added(dest) - row.lost(transition) < times:
                raise NotLearnedError(f"{name} is not in the chain: a transition of it is missing")
        rows.keep(outgrown)
        added_first = self._prints.get(print_, 0) > 0
        source = self._place(identity) if added_first else 0
        for state, dest, transition in path:
            row, count = rows.full[state], counts[transition]
            if row.added(dest) and (added_first or count <= row.lost(transition)):
                row.drop(dest, source)
            else:
                row.lose(transition, weights[state])
                rows.have_losses = True
            if not row.added(dest) and count <= row.lost(transition):
                row.successors -= 1
        if identity is not None:
            self.forgotten.add(identity)
        self._changed(len(tokens), print_, -1)

    def _place(self, identity: int | None) -> int:
        if identity is None:
            return 0
        for place in range(len(self.sources) - 1, 0, -1):
            if self.sources[place] == identity:
                return place
        return 0

    def _changed(self, tokens: int, print_: int, sign: int) -> None:
        self.messages += sign
        self.tokens += sign * tokens
        self.size += tokens + 1
        balance = self._prints.get(print_, 0) + sign
        if balance:
            self._prints[print_] = balance
        else:
            self._prints.pop(print_, None)

    # --- reading

    def iterate(self) -> Iterator[Transition]:
        """Each live (state's words, successor or None for the end, count), over image and overlay together."""
        for state, dest, count in self._numbered_transitions():
            token = self.token_of(dest) if dest else 0
            yield tuple(map(self.word, self.spelled(state))), self.word(token) if token else None, count

    def _numbered_transitions(self) -> Iterator[tuple[int, int, int]]:
        for state in self.rows.states():
            row = self.rows.row(state)
            additions = dict(row.additions()) if row else {}
            if self.image is not None and state < self._first_state:
                for transition in range(self.image.row[state], self.image.row[state + 1]):
                    dest = self.image.dest[transition]
                    count = self.left(transition, row) + additions.pop(dest, 0)
                    if count:
                        yield state, dest, count
            for dest, count in additions.items():
                yield state, dest, count

    def source_of(self, item: int) -> int | None:
        """The message ID of a packed addition."""
        return self.sources[item & SOURCE_MASK]
