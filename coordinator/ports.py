"""What coordination needs of Redis, Postgres and Discord, so that the same code runs on servers and in a simulation."""

from collections.abc import Sequence
from typing import Protocol

from markov_shard.shared.assignment import Assignment
from markov_shard.shared.board import BoardView
from markov_shard.shared.identify import Budget
from markov_shard.shared.leases import Lease
from markov_shard.shared.members import Member
from markov_shard.store.shard_plan import ShardPlan


class Board(Protocol):
    """A coordinator's side of Redis. Every method raises RedisUnavailableError, within a few seconds."""

    async def lead(self, name: str) -> str:
        """Takes or keeps the leader's lease; returns who leads now."""

    async def step_down(self, name: str) -> None:
        """Lets the standby lead at once, and takes this process off the list of members."""

    async def beat(self, member: Member) -> None:
        """Sends a heartbeat."""

    async def view(self) -> BoardView:
        """The members alive, and the assignment."""

    async def leases(self, shard_count: int) -> Sequence[Lease]:
        """The leases of all shards of a shard count."""

    async def assign(self, leader: str, assignment: Assignment) -> bool:
        """Publishes a decision; False when `leader` does not lead any more."""

    async def open_gate(self, budget: Budget, *, ran_before: bool) -> None:
        """Opens the identify gate where Redis does not know it as open, and notes what Discord says of the budget."""


class Truth(Protocol):
    """What a lost Redis must not change, in Postgres. Every method raises DatabaseUnavailableError."""

    async def plan(self) -> ShardPlan:
        """How many shards the fleet runs and is to run."""

    async def save_plan(self, plan: ShardPlan, *, was: ShardPlan) -> bool:
        """Replaces the plan unless it is not `was` any more; whether it did."""
