"""How far a shard's event stream is safely stored: the position a later owner may resume from."""

import itertools


class Position:
    """The highest gateway sequence number below which everything is stored.

    Events arrive in order; each piece of work one causes is opened and, once durable, closed. A flush or a
    deletion that takes long therefore holds the position back, whatever later events finish earlier.
    """

    def __init__(self, seq: int = 0) -> None:
        self._seen = seq
        self._session = 0  # counts sessions: a new one starts its sequence numbers again
        self._marks = itertools.count()
        self._open: dict[int, tuple[int, int]] = {}  # mark -> (session, seq), in the order of arrival

    def new_session(self) -> None:
        """A READY came: sequence numbers start again, and work of the old session is still to be finished."""
        self._session += 1
        self._seen = 0

    def seen(self, seq: int) -> None:
        """The event `seq` was received and handled, but for the work opened for it."""
        self._seen = seq

    def open(self, seq: int) -> int:
        """The event `seq` caused a piece of work; call it before any later event is seen. Returns its mark."""
        mark = next(self._marks)
        self._open[mark] = (self._session, seq)
        self._seen = max(self._seen, seq)
        return mark

    def close(self, mark: int) -> None:
        """A piece of work is durable."""
        del self._open[mark]

    @property
    def last(self) -> int:
        """The newest event seen of this session."""
        return self._seen

    @property
    def safe(self) -> int | None:
        """Everything of this session up to and including this number is stored; None while older work is open."""
        if not self._open:
            return self._seen
        session, seq = self._open[next(iter(self._open))]
        return seq - 1 if session == self._session else None

    @property
    def open_work(self) -> int:
        """Pieces of work that are not durable yet."""
        return len(self._open)
