"""REST rate limits: a bucket for each route and major parameter, 50 requests a second for a bot, and the ban.

Discord publishes no bucket sizes; these are the ones its headers have been seen to give. Clients must read the headers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_Key = TypeVar("_Key")
_INVALID_WINDOW = 600.0
_INVALID = frozenset({401, 403, 429})
_DEFAULT = (50, 1.0)
_SIZES: tuple[tuple[str, re.Pattern[str], int, float], ...] = tuple(
    (method, re.compile(re.escape(path) + "$"), limit, window)
    for method, path, limit, window in (
        ("POST", "/channels/{channel}/messages", 5, 5.0),
        ("PATCH", "/channels/{channel}/messages/{message}", 5, 5.0),
        ("DELETE", "/channels/{channel}/messages/{message}", 5, 1.0),
        ("POST", "/channels/{channel}/messages/bulk-delete", 1, 1.0),
        ("POST", "/channels/{channel}/typing", 5, 5.0),
        ("PUT", "/reactions/{emoji}/@me", 1, 0.25),
        ("DELETE", "/reactions/{emoji}/@me", 1, 0.25),
        ("POST", "/channels/{channel}/threads", 50, 300.0),
        ("PATCH", "/channels/{channel}", 5, 15.0),
        ("POST", "/webhooks/{webhook}/{token}", 5, 2.0),
        ("PATCH", "/webhooks/{webhook}/{token}/messages/@original", 5, 2.0),
        ("PUT", "/applications/{application}/commands", 2, 5.0),
    )
)


@dataclass(slots=True)
class RestLimits:
    """What is enforced; Discord's values unless a test or a measurement says otherwise. None or False: not enforced."""

    buckets: bool = True
    global_per_second: int | None = 50
    invalid_in_10_minutes: int | None = 10_000


@dataclass(slots=True)
class _Window:
    ends: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request is told of its limits; `scope` is set when it comes too early, by `retry_after` seconds."""

    headers: dict[str, str]
    scope: str | None = None
    retry_after: float = 0.0


class RateLimiter:
    """Fixed windows that begin with their first request, as Discord's do."""

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float], limits: RestLimits) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self.limits = limits
        self._buckets: dict[tuple[str, str, str], _Window] = {}
        self._global: dict[str, _Window] = {}
        self._invalid: dict[str, _Window] = {}

    def banned(self, address: str) -> float:
        """Seconds for which nothing more from this address is answered."""
        window = self._invalid.get(address)
        most = self.limits.invalid_in_10_minutes
        now = self._monotonic()
        return window.ends - now if window and most is not None and window.used >= most and window.ends > now else 0.0

    def count_invalid(self, address: str, status: int, scope: str | None) -> None:
        """Counts answers of 401, 403 and 429 towards the ban; those of a shared scope do not count."""
        if status in _INVALID and scope != "shared":
            self._current(self._invalid, address, _INVALID_WINDOW).used += 1

    def check(self, caller: str, method: str, route: str, major: str, *, counts_globally: bool) -> Verdict:
        """Counts a request of `caller` on `route` (its pattern) with that `major` parameter."""
        if counts_globally and (most := self.limits.global_per_second) is not None:
            window = self._current(self._global, caller, 1.0)
            window.used += 1
            if window.used > most:
                wait = window.ends - self._monotonic()
                return Verdict({"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}, "global", wait)
        if not self.limits.buckets:
            return Verdict({})
        limit, seconds = _size(method, route)
        name = hashlib.blake2b(f"{method} {route}".encode(), digest_size=16).hexdigest()
        window = self._current(self._buckets, (caller, name, major), seconds)
        window.used += 1
        wait = window.ends - self._monotonic()
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - window.used)),
            "X-RateLimit-Reset": f"{self._wall() + wait:.3f}",
            "X-RateLimit-Reset-After": f"{wait:.3f}",
            "X-RateLimit-Bucket": name,
        }
        if window.used <= limit:
            return Verdict(headers)
        window.used = limit
        return Verdict(headers | {"X-RateLimit-Scope": "user"}, "user", wait)

    def _current(self, windows: dict[_Key, _Window], key: _Key, seconds: float) -> _Window:
        now = self._monotonic()
        window = windows.get(key)
        if window is None or window.ends <= now:
            if len(windows) > 10_000:
                for old in [found for found, item in windows.items() if item.ends <= now]:
                    del windows[old]
            window = windows[key] = _Window(now + seconds)
        return window


def _size(method: str, route: str) -> tuple[int, float]:
    found = ((limit, seconds) for verb, path, limit, seconds in _SIZES if verb == method and path.search(route))
    return next(found, _DEFAULT)
