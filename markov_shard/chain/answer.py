"""What an answer is, and how one is chosen among candidates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MIN_SCORE = 10
MAX_TRIES = 1000
PROMPT_TRIES = 12  # candidates that a prompt's answer is chosen from
MAX_WORDS = 1000  # a candidate longer than this is given up: it could not be sent anyway

NOTHING_LEARNED = "Nothing has been learned yet: let me read some messages, or train me."
ONLY_COPIES = "Too little has been learned: everything I could say repeats a message. Let me read more."
OUT_OF_TIME = "There was no time to think of anything: allow more time for an answer."


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated message. `text` is "" where there is nothing to say, and `reason` says why."""

    text: str
    score: int = 0
    tries: int = 0  # candidates made
    order: int = 0  # tokens of context the walk went by; below the state size where that only gave copies
    seed_used: str | None = (
        None  # the part of the seed that the answer begins with, or the words it shares with a prompt
    )
    reason: str | None = None
    trace: Callable[[], tuple[int, ...]] = field(default=tuple, compare=False, repr=False)

    @property
    def sources(self) -> tuple[int, ...]:
        """IDs of messages its transitions came from, in order, each once; found when asked for."""
        return self.trace()


@dataclass(slots=True)
class Candidate:
    """One walk's outcome: tokens (the seed's included), what it went through, and its score."""

    tokens: Sequence[int]
    left: Sequence[int]  # the states its steps were taken from,
    entered: Sequence[int]  # and those that they led to
    added: Mapping[int, int]  # of the steps that were learned since the image: which addition, packed
    score: int
    order: int
    seed_used: str | None = None


def never() -> bool:
    """A clock that never runs out."""
    return False


def expiry(deadline: float | None, clock: Callable[[], float]) -> Callable[[], bool]:
    """Whether the deadline has passed; without one the clock is not read."""
    return never if deadline is None else lambda: clock() >= deadline
