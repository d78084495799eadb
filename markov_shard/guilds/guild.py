"""One guild's state in its owner's memory."""

import asyncio
from dataclasses import dataclass, field

from markov_shard.chain import Chain
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.opening import Learned, Opened
from markov_shard.guilds.owner import Owner
from markov_shard.store.messages import StoredMessage


@dataclass(frozen=True, slots=True)
class Unstored:
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
    compile_asked_for: int = -1
    """The image version for which a compile was requested already."""
    stored_unseen: int = 0
    """Messages stored while the chain was not in memory: nobody else counts what lies over its image."""

    @property
    def chain(self) -> Chain | BaselineChain | None:
        """The chain, when it is in memory; it holds the unstored messages too."""
        return self.opened.chain if self.opened else None

    def add(self, unstored: Unstored) -> None:
        """Learns a message: answers know it at once, Postgres after the next flush."""
        self.unstored[unstored.message.message_id] = unstored
        if self.opened and is_general(unstored.message):
            self.opened.chain.learn(as_learned(unstored.message))

    def discard(self, message_id: int) -> Unstored | None:
        """Unlearns a message that was not stored yet; None when there is no such message."""
        unstored = self.unstored.pop(message_id, None)
        if unstored and self.opened and is_general(unstored.message):
            self.opened.chain.unlearn(as_learned(unstored.message))
        return unstored

    def install(self, opened: Opened) -> None:
        """Answers from `opened`, to which the unstored messages are added; the lock must be held."""
        for unstored in self.unstored.values():
            if is_general(unstored.message):
                opened.chain.learn(as_learned(unstored.message))
        self.opened = opened


def as_learned(message: StoredMessage) -> Learned:
    """The message as the chain engine takes it."""
    return Learned(message.content, message.message_id)


def is_general(message: StoredMessage) -> bool:
    """Whether the message counts for answers in any channel."""
    return not message.nsfw
