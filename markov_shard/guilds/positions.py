"""How far a shard's event stream is safely stored: the position a later owner may resume from."""


class Position:
    """The highest gateway sequence number below which everything is stored.

    Events arrive in order; each piece of work one causes is opened and, once durable, closed. A flush or a
    deletion that takes long therefore holds the position back, whatever later events finish earlier.
    """

    def __init__(self, seq: int = 0) -> None:
        self._seen = seq
        self._open: dict[int, int] = {}  # seq -> pieces of work not yet durable; insertion order is seq order

    def seen(self, seq: int) -> None:
        """The event `seq` was received and caused no work that is still to be opened."""
        self._seen = max(self._seen, seq)

    def open(self, seq: int) -> None:
        """The event `seq` caused a piece of work; call it while the event is being handled, before any later one."""
        self._open[seq] = self._open.get(seq, 0) + 1
        self._seen = max(self._seen, seq)

    def close(self, seq: int) -> None:
        """A piece of work of event `seq` is durable."""
        left = self._open[seq] - 1
        if left:
            self._open[seq] = left
        else:
            del self._open[seq]

    @property
    def safe(self) -> int:
        """Everything up to and including this sequence number is stored."""
        return next(iter(self._open)) - 1 if self._open else self._seen

    @property
    def open_events(self) -> int:
        """Events whose work is not durable yet."""
        return len(self._open)
