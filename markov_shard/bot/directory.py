"""What is known of a guild's channels and members: who is learned, where, and where the bot answers by itself."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from markov_shard.bot.staff import Staff
from markov_shard.store.channels import ChannelRow

_THREAD_TYPES = frozenset({10, 11, 12})  # announcement, public and private threads


class ChannelDirectory:
    """One guild's channels as far as learning needs them.

    After a resume in a new process no GUILD_CREATE comes, so a channel may be unknown until it was asked for.
    """

    def __init__(
        self, rows: Iterable[ChannelRow], *, opted_out: Iterable[int] = (), ignored: Collection[int] = frozenset()
    ) -> None:
        """`opted_out`: members never learned; `ignored`: channels that the operator never wants learned."""
        self.opted_out = set(opted_out)
        self.staff = Staff()
        self._ignored = ignored
        self._listened: set[int] = set()
        self._chances: dict[int, float] = {}
        self._autorespond: set[int] = set()
        self._parents: dict[int, int] = {}
        self._nsfw: set[int] = set()
        self._others: set[int] = set()
        self.complete = False
        for row in rows:
            self.note(row)
            if row.listen:
                self._listened.add(row.channel_id)
            if row.autorespond:
                self._autorespond.add(row.channel_id)
            if row.autorespond_chance != 100:
                self._chances[row.channel_id] = float(row.autorespond_chance)

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
            return channel_id not in self._ignored
        parent = self._parents.get(channel_id)
        if parent is not None:
            return parent in self._listened and parent not in self._ignored and channel_id not in self._ignored
        if self.complete or channel_id in self._others or not (self._listened or self._autorespond):
            return False
        return None

    def knows(self, channel_id: int) -> bool:
        """Whether the channel's parent and age restriction are known."""
        return self.complete or channel_id in self._parents or channel_id in self._others

    def is_open(self, channel_id: int) -> bool:
        """Whether the channel was noted as one that is not age-restricted."""
        return channel_id in self._others and channel_id not in self._nsfw

    def is_ignored(self, channel_id: int) -> bool:
        """Whether the operator never wants the channel learned."""
        return channel_id in self._ignored

    def with_parent(self, channel_id: int) -> tuple[int, ...]:
        """The channel and, for a thread, the channel it hangs under."""
        parent = self._parents.get(channel_id)
        return (channel_id,) if parent is None else (channel_id, parent)

    def autorespond_chance(self, channel_id: int) -> float:
        """Percent of the channel's, or thread's, ordinary messages that are answered; 0 where none are."""
        if not self._autorespond:
            return 0.0
        for known in self.with_parent(channel_id):
            if known in self._autorespond:
                return self._chances.get(known, 100.0)
        return 0.0

    def chance_of(self, channel_id: int) -> float:
        """The percentage set for a channel, whether it is answered by itself or not."""
        return self._chances.get(channel_id, 100.0)

    def set_autorespond(self, channel_ids: Iterable[int], *, autorespond: bool) -> None:
        """Follows a change of settings."""
        (self._autorespond.update if autorespond else self._autorespond.difference_update)(channel_ids)

    def set_chance(self, channel_ids: Iterable[int], chance: float) -> None:
        """Follows a change of settings."""
        for channel_id in channel_ids:
            self._chances[channel_id] = chance

    def has_settings(self, channel_id: int) -> bool:
        """Whether something is set for the channel, or for the one it hangs under."""
        return any(known in self._listened or known in self._autorespond for known in self.with_parent(channel_id))

    def is_nsfw(self, channel_id: int) -> bool:
        """Whether the channel, or the thread's parent, is age-restricted."""
        return channel_id in self._nsfw or self._parents.get(channel_id, 0) in self._nsfw

    def set_listened(self, channel_ids: Iterable[int], *, listen: bool) -> None:
        """Follows a change of settings."""
        (self._listened.update if listen else self._listened.difference_update)(channel_ids)

    @property
    def autoresponding(self) -> frozenset[int]:
        """Channels whose ordinary messages are answered, threads not included."""
        return frozenset(self._autorespond)

    @property
    def listened(self) -> frozenset[int]:
        """Channels learned from, threads not included."""
        return frozenset(self._listened)

    def threads_of(self, channel_id: int) -> list[int]:
        """The known threads under a channel."""
        return [thread for thread, parent in self._parents.items() if parent == channel_id]

    def forget(self, channel_id: int) -> list[int]:
        """Drops a deleted channel; returns it and its threads."""
        gone = [channel_id, *self.threads_of(channel_id)]
        for known in (self._listened, self._nsfw, self._others, self._autorespond):
            known.difference_update(gone)
        for thread in gone:
            self._parents.pop(thread, None)
            self._chances.pop(thread, None)
        return gone


def channel_row(payload: Mapping[str, Any]) -> ChannelRow:
    """A channel or thread object of Discord's API as a row."""
    parent = int(payload["parent_id"]) if payload["type"] in _THREAD_TYPES else None
    return ChannelRow(int(payload["id"]), parent, bool(payload.get("nsfw")))
