"""A guild's chain: an image, and what was learned and unlearned since."""

import random as randomness
import time
from collections.abc import Callable, Iterable, Iterator

from markov_shard.chain.answer import (
    MAX_TRIES,
    MAX_WORDS,
    MIN_SCORE,
    NOTHING_LEARNED,
    ONLY_COPIES,
    OUT_OF_TIME,
    PROMPT_TRIES,
    Answer,
    Candidate,
    expiry,
)
from markov_shard.chain.errors import INSIDE, NotLearnedError, outside
from markov_shard.chain.generate import Generator
from markov_shard.chain.image import Image, Transition
from markov_shard.chain.overlay import Overlay
from markov_shard.chain.prompt import read_prompt
from markov_shard.chain.text import MessageLike, checked_state_size, id_of, shown, text_of, tokens_of
from markov_shard.chain.walk import Random


class Chain:
    """What a guild's answers are made from. Not safe for use from several threads at once."""

    def __init__(self, image: Image | None, *, state_size: int = 0) -> None:
        """A chain over an image (which is shared, never changed), or over none with its own `state_size`."""
        self._image = image
        self._state_size = image.state_size if image is not None else checked_state_size(state_size)
        self._overlay = Overlay(image, self._state_size)
        self._generator = Generator(self._overlay)

    @classmethod
    def empty(cls, state_size: int) -> "Chain":
        """A chain without an image, for a guild that has learned nothing yet."""
        return cls(None, state_size=state_size)

    # --- figures

    @property
    def image(self) -> Image | None:
        """The image the chain stands on."""
        return self._image

    @property
    def state_size(self) -> int:
        """Tokens a full state has, 1 to 5."""
        return self._state_size

    @property
    def messages(self) -> int:
        """Live messages, image and overlay together."""
        return self._overlay.messages

    @property
    def tokens(self) -> int:
        """Tokens of the live messages."""
        return self._overlay.tokens

    @property
    def vocabulary(self) -> int:
        """Different words, those included whose last message was unlearned since the image."""
        return self._overlay.vocabulary

    @property
    def overlay_size(self) -> int:
        """Transitions learned or removed since the image, repeats counted; what a compile would fold in."""
        return self._overlay.size

    @property
    def overlay_nbytes(self) -> int:
        """An estimate of the memory taken beyond the image's own, in bytes: the overlay, and words as strings."""
        return self._overlay.nbytes + (self._image.words_nbytes if self._image is not None else 0)

    def transitions(self) -> Iterator[Transition]:
        """Each live (state, successor, count) once, over image and overlay together.

        A state is a tuple of words, oldest first; the successor None is the message's end. Nothing may be learned
        or unlearned while the iterator is in use.
        """
        with INSIDE:
            if self._image is not None:
                yield from self._image.iterate(self._overlay.rows.states())
            yield from self._overlay.iterate()

    # --- changes

    def learn(self, message: MessageLike) -> None:
        """Learn a message; one without tokens is none. Raises MessageError for one that cannot be learned.

        Here and in what unlearns, DamagedImageError where an index in the image points outside it: nothing is changed.
        """
        words = tokens_of(message)
        if words:
            with INSIDE:
                self._overlay.learn(words, id_of(message))

    def unlearn(self, message: MessageLike) -> None:
        """Take back one `learn` of this message, or one of the image's messages.

        Raises NotLearnedError, and changes nothing, where the message is not there.
        """
        words = tokens_of(message)
        if not words:
            return
        name = f"the message {shown(text_of(message))}"
        tokens = []
        with INSIDE:
            for word in words:
                token = self._overlay.token(word)
                if not token:
                    raise NotLearnedError(f"{name} is not in the chain: the word {shown(word)} is unknown")
                tokens.append(token)
            self._overlay.unlearn(tokens, id_of(message), name)

    def remove_transitions(self, indices: Iterable[int], identity: int | None = None) -> None:
        """Unlearn one message of the image, given as its transitions' indices (see `Image.locate`), not its text.

        `identity`, its ID where known, is never again named as a source. Raises NotLearnedError, and changes
        nothing, where they are not one live message of this image.
        """
        path = [int(index) for index in indices]
        if not path:
            return
        if self._image is None:
            raise NotLearnedError("a chain without an image has no numbered transitions")
        with INSIDE:
            self._overlay.unlearn(self._image.trace(path), identity, f"the message at transition {path[-1]}")

    # --- answers

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
        """Say something: the first candidate at `min_score` or above, else the best of `max_tries`.

        A `seed` of at most a state's length begins the text. A longer one is a prompt: of `prompt_tries` candidates
        (no more than `max_tries`; none makes it begin the text as well) the one that says most about it is chosen,
        rare words weighing more.

        Candidates equal to a live message are refused. `rng` (default: a fresh one) decides everything; the same
        state of it gives the same answer on every machine. The clock is read only where a `deadline`, in its
        seconds, is given; what was found by then is returned. Raises DamagedImageError where an index in the image
        points outside it, which is never followed.
        """
        random = (rng or randomness.Random()).random
        if self.messages < 1:
            return Answer("", reason=NOTHING_LEARNED)
        expired = expiry(deadline, clock)
        with INSIDE:
            return self._chosen(random, seed, min_score, max_tries, max_words, prompt_tries, expired)

    def _chosen(
        self,
        random: Random,
        seed: str | None,
        min_score: int,
        max_tries: int,
        max_words: int,
        prompt_tries: int,
        expired: Callable[[], bool],
    ) -> Answer:
        best: Candidate | None = None
        tries, late = 0, False
        prompt = read_prompt(self._overlay, seed) if seed and prompt_tries > 0 else None
        if prompt is not None:
            allowed = min(prompt_tries, max_tries)
            for found in self._generator.prompted(random, prompt, allowed, max_words, min_score):
                best = found
                tries += 1
                if late := expired():
                    break
            if best is not None or tries >= max_tries or late:
                return self._told(best, tries, late=late)
        for candidate in self._generator.candidates(random, seed, max_tries - tries, max_words):
            tries += 1
            if candidate is not None and (best is None or candidate.score > best.score):
                best = candidate
                if best.score >= min_score:
                    break
            if late := expired():
                break
        return self._told(best, tries, late=late)

    def _told(self, best: Candidate | None, tries: int, *, late: bool) -> Answer:
        if best is None:
            return Answer("", tries=tries, reason=OUT_OF_TIME if late or not tries else ONLY_COPIES)
        return self._generator.answer(best, tries)

    def walk(self, rng: randomness.Random, max_words: int = MAX_WORDS) -> str:
        """One raw walk from the start of a message to its end: no filter, no score; "" where it got too long."""
        try:  # as INSIDE does, without the two calls that entering and leaving it are
            return self._generator.walk(rng.random, max_words)
        except (IndexError, UnicodeDecodeError) as error:
            raise outside() from error
