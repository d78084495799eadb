"""The messages of one channel in the order of their IDs: those that were posted, over a history that is made up."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from discord_sim.state import Message


class Past(Protocol):
    """Messages that nobody holds in memory: each is made when it is asked for, the same one every time."""

    def __len__(self) -> int: ...

    def find(self, message_id: int) -> Message | None: ...

    def before(self, message_id: int, limit: int) -> list[int]:
        """The last `limit` IDs below `message_id`, oldest first."""
        ...

    def after(self, message_id: int, limit: int) -> list[int]:
        """The first `limit` IDs above `message_id`, oldest first."""
        ...


class MessageLog:
    """Posted messages are kept, those of `past` made when read; an edited one of the past is kept from then on."""

    __slots__ = ("_kept", "_order", "_removed", "past")

    def __init__(self) -> None:
        self._kept: dict[int, Message] = {}
        self._order: list[int] = []
        self._removed: set[int] = set()
        self.past: Past | None = None

    def __len__(self) -> int:
        return len(self._order) + (len(self.past) - len(self._removed) if self.past else 0)

    def __contains__(self, message_id: int) -> bool:
        return self.get(message_id) is not None

    def get(self, message_id: int) -> Message | None:
        found = self._kept.get(message_id)
        if found is None and self.past is not None and message_id not in self._removed:
            found = self.past.find(message_id)
        return found

    def pinned(self) -> list[Message]:
        """The pinned messages, newest first. One that is pinned is kept, so the past has none."""
        return [self._kept[found] for found in reversed(self._order) if self._kept[found].pinned]

    @property
    def last_id(self) -> int | None:
        newest = self._ids_before(1 << 64, 1)
        return newest[0] if newest else None

    def add(self, message: Message) -> None:
        """Keep `message`, in the order of IDs however it arrives. Raises ValueError for an ID already here."""
        if message.id in self:
            raise ValueError(f"message {message.id} exists")
        self.keep(message)

    def keep(self, message: Message) -> None:
        """Hold on to a message, which may be a changed one of the past."""
        if message.id in self._kept:
            return
        self._kept[message.id] = message
        if self.past is not None and self.past.find(message.id) is not None:
            self._removed.add(message.id)
        if not self._order or message.id > self._order[-1]:
            self._order.append(message.id)
        else:
            bisect.insort(self._order, message.id)

    def remove(self, message_id: int) -> Message | None:
        message = self.get(message_id)
        if self._kept.pop(message_id, None) is not None:
            del self._order[bisect.bisect_left(self._order, message_id)]
        elif message is not None:
            self._removed.add(message_id)
        return message

    def page(self, limit: int, *, before: int | None = None, after: int | None = None) -> list[Message]:
        """Up to `limit` messages, newest first: the newest, those just before, or those just after an ID."""
        if after is not None:
            return self._made(self._ids_after(after, limit))
        return self._made(self._ids_before(1 << 64 if before is None else before, limit))

    def around(self, limit: int, message_id: int) -> list[Message]:
        """Up to `limit` messages, newest first, half of them older than `message_id`."""
        older = self._ids_before(message_id, limit // 2)
        return self._made(older + self._ids_after(message_id - 1, limit - len(older)))

    def _ids_before(self, message_id: int, limit: int) -> list[int]:
        end = bisect.bisect_left(self._order, message_id)
        kept = self._order[max(0, end - limit) : end]
        if self.past is None:
            return kept
        extra = limit + len(self._removed)
        past = [found for found in self.past.before(message_id, extra) if found not in self._removed]
        return sorted(kept + past)[-limit:] if limit else []

    def _ids_after(self, message_id: int, limit: int) -> list[int]:
        start = bisect.bisect_right(self._order, message_id)
        kept = self._order[start : start + limit]
        if self.past is None:
            return kept
        extra = limit + len(self._removed)
        past = [found for found in self.past.after(message_id, extra) if found not in self._removed]
        return sorted(kept + past)[:limit]

    def _made(self, ids: list[int]) -> list[Message]:
        return [message for message_id in reversed(ids) if (message := self.get(message_id)) is not None]
