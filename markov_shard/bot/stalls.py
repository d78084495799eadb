"""When is a gateway connection no good, though nothing says so: three signs, each judged against its surroundings.

hikari's `is_alive` stays true after fatal closes, and a socket can be open with nothing coming through it. Whether
silence is a fault depends: at night whole fleets are silent, and when Discord is away nobody is connected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Sign = Literal["disconnected", "unacknowledged", "silent"]

DISCONNECTED_SECONDS = 120.0
"""Without a connection while most of the fleet's shards have one; hikari dials again within a minute."""

_BEATS = 2.0
_BEAT_GRACE_SECONDS = 10.0
"""hikari hangs up by itself when a beat is not acknowledged by the next; later, its own heartbeat is broken."""

SILENT_SECONDS = 120.0
_TIMES_NORM = 20.0
_TIMES_OWN = 4.0
"""An event is overdue when the shard was never silent for a quarter as long, nor the fleet's middle shard for a
twentieth."""

_FEWEST = 3
"""Other shards that must be known to speak of a norm."""


@dataclass(frozen=True)
class Connection:
    """What is known of one shard's connection; times in seconds, None where there is none."""

    disconnected_for: float | None
    ack_age: float | None
    beat_interval: float | None
    event_age: float
    longest_silence: float
    """Between two events so far."""


@dataclass(frozen=True)
class Norm:
    """How the other shards of the fleet fare."""

    shards: int
    connected: int
    event_age: float
    """Of the middle one, in seconds."""

    @classmethod
    def of(cls, others: Sequence[tuple[bool, float | None]]) -> "Norm":
        """Out of each one's being connected, and the age of its last event."""
        ages = [age for connected, age in others if connected and age is not None]
        return cls(len(others), sum(connected for connected, _ in others), median(ages) if ages else float("inf"))

    @property
    def is_known(self) -> bool:
        """Whether there are enough others to compare with, most of them connected."""
        return self.shards >= _FEWEST and 2 * self.connected > self.shards


@dataclass(frozen=True)
class Diagnosis:
    """A sign, and in words what was seen."""

    sign: Sign
    text: str


def diagnose(seen: Connection, norm: Norm) -> Diagnosis | None:
    """What is wrong with a connection; None while nothing is."""
    if seen.disconnected_for is not None:
        if norm.is_known and seen.disconnected_for > DISCONNECTED_SECONDS:
            text = f"not connected for {seen.disconnected_for:.0f} s, as {norm.connected} of {norm.shards} others are"
            return Diagnosis("disconnected", text)
        return None
    interval = seen.beat_interval or float("inf")
    if seen.ack_age is not None and seen.ack_age > _BEATS * interval + _BEAT_GRACE_SECONDS:
        text = f"no heartbeat was acknowledged for {seen.ack_age:.0f} s, one is due each {interval:.0f} s"
        return Diagnosis("unacknowledged", text)
    overdue = max(SILENT_SECONDS, _TIMES_OWN * seen.longest_silence, _TIMES_NORM * norm.event_age)
    if norm.is_known and seen.event_age > overdue:
        text = (
            f"no event for {seen.event_age:.0f} s, while the fleet's middle shard had one {norm.event_age:.1f} s ago"
            f" and this one was never silent for more than {seen.longest_silence:.0f} s"
        )
        return Diagnosis("silent", text)
    return None
