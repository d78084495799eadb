"""Which channels of a guild are learned from, threads and age restriction included."""

from collections.abc import Iterable, Mapping
from typing import Any

from markov_shard.store.channels import ChannelRow

_THREAD_TYPES = frozenset({10, 11, 12})  # announcement, public and private threads


class ChannelDirectory:
    """One guild's channels as far as learning needs them.

    After a resume in a new process no GUILD_CREATE comes, so a channel may be unknown until it was asked for.
    """

    def __init__(self, rows: Iterable[ChannelRow]) -> None:
        self._listened: set[int] = set()
        self._parents: dict[int, int] = {}
        self._nsfw: set[int] = set()
        self._others: set[int] = set()
        self.complete = False
        for row in rows:
            self.note(row)
            if row.listen:
                self._listened.add(row.channel_id)

    def note(self, row: ChannelRow) -> None:
        """Takes in a channel's parent and age restriction."""
        if row.parent_id is not None:
            self._parents[row.channel_id] = row.parent_id
        else:
            self._others.add(row.channel_id)
        (self._nsfw.add if row.nsfw else self._nsfw.discard)(row.channel_id)

    def is_listened(self, channel_id: int) -> bool | None:
        """Whether messages of the channel or thread are learned; None when its parent must be asked for."""
        if channel_id in self._listened:
            return True
        parent = self._parents.get(channel_id)
        if parent is not None:
            return parent in self._listened
        return False if self.complete or channel_id in self._others or not self._listened else None

    def is_nsfw(self, channel_id: int) -> bool:
        """Whether the channel, or the thread's parent, is age-restricted."""
        return channel_id in self._nsfw or self._parents.get(channel_id, 0) in self._nsfw

    def set_listened(self, channel_ids: Iterable[int], *, listen: bool) -> None:
        """Follows a change of settings."""
        (self._listened.update if listen else self._listened.difference_update)(channel_ids)

    @property
    def listened(self) -> frozenset[int]:
        """Channels learned from, threads not included."""
        return frozenset(self._listened)

    def forget(self, channel_id: int) -> list[int]:
        """Drops a deleted channel; returns it and its threads."""
        gone = [channel_id, *(thread for thread, parent in self._parents.items() if parent == channel_id)]
        for known in (self._listened, self._nsfw, self._others):
            known.difference_update(gone)
        for thread in gone:
            self._parents.pop(thread, None)
        return gone


def channel_row(payload: Mapping[str, Any]) -> ChannelRow:
    """A channel or thread object of Discord's API as a row."""
    parent = int(payload["parent_id"]) if payload["type"] in _THREAD_TYPES else None
    return ChannelRow(int(payload["id"]), parent, bool(payload.get("nsfw")))
