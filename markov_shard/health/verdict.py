"""What a process says of its own health, in words and in one verdict."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class Verdict(enum.IntEnum):
    """Degraded still serves: it is slower, or learns later. Down does not serve."""

    OK = 0
    DEGRADED = 1
    DOWN = 2


@dataclass(frozen=True)
class Finding:
    """One part's state, explained."""

    verdict: Verdict
    text: str
    details: Mapping[str, object] = field(default_factory=dict)


Check = Callable[[], Finding]
"""Looks at what is already known; must not block and must not ask a server."""


class Health:
    """The checks of one process.

    Live: worth keeping; False asks the supervisor for a restart. Ready: wants traffic; drops first on a drain.
    """

    def __init__(self, role: str, name: str) -> None:
        self.role = role
        self.name = name
        self.draining = False
        self._checks: dict[str, Check] = {}
        self._shards: Callable[[], Mapping[int, Finding]] = dict

    def add(self, part: str, check: Check) -> None:
        """Registers a part's check under its name."""
        self._checks[part] = check

    def set_shards(self, shards: Callable[[], Mapping[int, Finding]]) -> None:
        """Registers where the state of each owned shard comes from."""
        self._shards = shards

    def findings(self) -> dict[str, Finding]:
        """Every part's state now; a check that raises is a part that is down."""
        return {part: _safely(check) for part, check in self._checks.items()}

    def shards(self) -> Mapping[int, Finding]:
        """Every owned shard's state now."""
        return self._shards()

    def verdict(self) -> Verdict:
        """The worst part's verdict; a process with all its shards down is down, with some of them degraded."""
        worst = max((finding.verdict for finding in self.findings().values()), default=Verdict.OK)
        shards = [finding.verdict for finding in self.shards().values()]
        if shards and min(shards) is Verdict.DOWN:
            return Verdict.DOWN
        return max(worst, Verdict.DEGRADED) if any(shards) else worst

    def is_ready(self) -> bool:
        """Whether this process serves and is not leaving."""
        return not self.draining and self.verdict() is not Verdict.DOWN


def _safely(check: Check) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a broken check must show up as such, not take the page down
        return Finding(Verdict.DOWN, f"its check failed: {error!r}")
