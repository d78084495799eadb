"""What Discord says about how the bot should connect."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markov_shard.shared.identify import Budget


@dataclass(frozen=True)
class GatewayPlan:
    """The answer of `GET /gateway/bot`: recommended shards, IDENTIFY buckets and the day's session budget; and how many
    guilds the bot is in."""

    shards: int
    max_concurrency: int
    budget: Budget
    guilds: int = 0


AskDiscord = Callable[[], Awaitable[GatewayPlan]]
"""Raises DiscordUnavailableError."""
