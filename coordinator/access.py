"""Who may change things on the status page: whoever knows STATUS_TOKEN, in a session of a few hours.

A session is a random cookie that scripts cannot read and other sites' requests do not carry (`SameSite=Strict`);
each change also needs the session's CSRF token in a header, which other sites can neither read nor send.
"""

import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

SESSION_SECONDS = 8 * 3600
_WRONG_A_MINUTE = 10
_SESSIONS = 100


@dataclass(frozen=True)
class Session:
    """A signed-in browser. `csrf` must come back with each change."""

    key: str
    csrf: str
    until: float


class TooManyAttemptsError(Exception):
    """Wrong tokens came too fast: nobody may try for a minute."""


@dataclass
class Access:
    """The sessions of one coordinator; they end with it."""

    token: str | None
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict)
    _wrong: deque[float] = field(default_factory=lambda: deque(maxlen=_WRONG_A_MINUTE))

    @property
    def possible(self) -> bool:
        """Whether anything can be changed here at all."""
        return self.token is not None

    def sign_in(self, given: str) -> Session | None:
        """A new session for the right token. Raises TooManyAttemptsError."""
        now = self.clock()
        if len(self._wrong) == _WRONG_A_MINUTE and now - self._wrong[0] < 60:
            raise TooManyAttemptsError
        if self.token is None or not hmac.compare_digest(given.encode(), self.token.encode()):
            self._wrong.append(now)
            return None
        self._sessions = {key: session for key, session in self._sessions.items() if session.until > now}
        while len(self._sessions) >= _SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now + SESSION_SECONDS)
        self._sessions[session.key] = session
        return session

    def session(self, key: str | None) -> Session | None:
        """The session of a cookie, while it lasts."""
        session = self._sessions.get(key or "")
        return session if session is not None and session.until > self.clock() else None

    def may_change(self, key: str | None, csrf: str | None) -> bool:
        """Whether a request with this cookie and this CSRF header may change something."""
        session = self.session(key)
        return session is not None and hmac.compare_digest((csrf or "").encode(), session.csrf.encode())

    def sign_out(self, key: str | None) -> None:
        """Ends a session."""
        self._sessions.pop(key or "", None)
