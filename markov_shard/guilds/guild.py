"""One guild's state in its owner's memory."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from markov_shard.chain import Chain
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.learned import as_learned
from markov_shard.guilds.opening import Opened
from markov_shard.guilds.owner import Owner
from markov_shard.store.images import Audience
from markov_shard.store.messages import StoredMessage

_OBJECTS_BYTES = 40_000  # measured: an open chain's views and tables of what is where


class Unstored(NamedTuple):
    """A learned message that Postgres does not hold yet, and its mark in the shard's position."""

    message: StoredMessage
    mark: int


@dataclass(eq=False)
class Guild:
    """What the owner of a guild keeps of it; `lock` serialises everything that reads or writes its storage."""

    guild_id: int
    owner: Owner
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    unstored: dict[int, Unstored] = field(default_factory=dict)
    opened: Opened | None = None
    opened_all: Opened | None = None
    """The chain that also counts text of age-restricted channels, for answers there."""
    restricted: bool = False
    """Whether there is such text; known once `opened` is there."""
    compile_asked_for: int = -1
    """The image version for which a compile was requested already."""
    learned_file: bool = False
    """Whether a message with an attachment was learned while the guild was in memory."""
    stored_unseen: int = 0
    """Messages stored while the chain was not in memory: nobody else counts what lies over its image."""

    @property
    def chain(self) -> Chain | BaselineChain | None:
        """The chain, when it is in memory; it holds the unstored messages too."""
        return self.opened.chain if self.opened else None

    def add(self, unstored: Unstored) -> None:
        """Learns a message: answers know it at once, Postgres after the next flush."""
        self.unstored[unstored.message.message_id] = unstored
        self.learn(unstored.message)

    def discard(self, message_id: int) -> Unstored | None:
        """Unlearns a message that was not stored yet; None when there is no such message."""
        unstored = self.unstored.pop(message_id, None)
        if unstored:
            self.unlearn(unstored.message)
        return unstored

    def learn(self, message: StoredMessage) -> None:
        """Adds a message to the chains in memory that count it."""
        for opened in self._counting(message):
            opened.chain.learn(as_learned(message))
        self.restricted = self.restricted or message.nsfw
        self.learned_file = self.learned_file or bool(message.attachments)

    def unlearn(self, message: StoredMessage) -> None:
        """Takes a message out of the chains in memory that count it."""
        for opened in self._counting(message):
            opened.chain.unlearn(as_learned(message))

    def _counting(self, message: StoredMessage) -> list[Opened]:
        chains = (self.opened_all,) if message.nsfw else (self.opened, self.opened_all)
        return [opened for opened in chains if opened is not None]

    def install(self, opened: Opened, audience: Audience = "general") -> None:
        """Answers from `opened`, to which the unstored messages are added; the lock must be held."""
        for unstored in self.unstored.values():
            if audience == "all" or not unstored.message.nsfw:
                opened.chain.learn(as_learned(unstored.message))
        if audience == "all":
            self.opened_all = opened
        else:
            self.opened = opened
            self.restricted = opened.restricted or any(u.message.nsfw for u in self.unstored.values())

    def close(self) -> None:
        """Drops the chains from memory; they are opened again when asked for."""
        self.opened = self.opened_all = None

    @property
    def memory(self) -> int:
        """Bytes of the chains in memory: mapped images, overlays, and the objects around them."""
        chains = (opened for opened in (self.opened, self.opened_all) if opened is not None)
        return sum(_OBJECTS_BYTES + opened.mapped_bytes + opened.chain.overlay_nbytes for opened in chains)
