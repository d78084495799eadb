"""Redis and Postgres as the ports see them: the rules of the Lua files and of `store/epochs.py`, in memory.

`tests/simulation/test_servers.py` holds them against the real scripts, step by step.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from markov_shard.shared.assignment import Assignment
from markov_shard.shared.board import BoardView
from markov_shard.shared.coordination import Step
from markov_shard.shared.identify import Budget, Ticket
from markov_shard.shared.leases import LEADER_LEASE_MS, SHARD_LEASE_MS, Lease, ShardKey
from markov_shard.shared.members import MEMBER_MS, Member
from markov_shard.store.shard_plan import ShardPlan


@dataclass
class LeaseState:
    holder: str
    epoch: int
    expires_at: int


@dataclass
class RedisModel:
    """Times in milliseconds of its own clock, given with each call."""

    leases: dict[ShardKey, LeaseState] = field(default_factory=dict)
    leader: LeaseState | None = None
    members: dict[str, tuple[Member, int, int]] = field(default_factory=dict)
    assignment: Assignment | None = None
    drains: set[str] = field(default_factory=set)
    founded_at: int | None = None
    leases_from: int | None = None

    def clear(self) -> None:
        """As after a restart without its file."""
        self.__init__()  # type: ignore[misc]

    def beat(self, now: int, member: Member) -> None:
        joined = self.members[member.name][2] if member.name in self.members else now
        self.members[member.name] = (member, now + MEMBER_MS, joined)

    def step(self, now: int, member: Member, held: Mapping[ShardKey, int]) -> Step:
        self.beat(now, member)
        self.founded_at = now if self.founded_at is None else self.founded_at
        lost = set()
        for shard, epoch in held.items():
            lease = self.leases.get(shard)
            if lease is None or lease.holder == member.name:
                self.leases[shard] = LeaseState(member.name, epoch, now + SHARD_LEASE_MS)
            else:
                lost.add(shard)
        return Step(frozenset(lost), self.assignment, member.name in self.drains)

    def take(self, now: int, name: str, shards: Collection[ShardKey]) -> set[ShardKey]:
        taken = set()
        closed = self.leases_from is None or self.leases_from > now
        for shard in shards:
            lease = self.leases.get(shard)
            if closed and (lease is None or lease.holder != name):
                continue
            if lease is not None and lease.holder != name and lease.expires_at > now:
                continue
            epoch = lease.epoch if lease is not None and lease.holder == name else 0
            self.leases[shard] = LeaseState(name, epoch, now + SHARD_LEASE_MS)
            taken.add(shard)
        return taken

    def release(self, name: str, shards: Collection[ShardKey]) -> None:
        for shard in shards:
            if shard in self.leases and self.leases[shard].holder == name:
                del self.leases[shard]

    def open_gate(self, now: int, wait: int) -> None:
        if self.leases_from is None:
            self.leases_from = (now if self.founded_at is None else self.founded_at) + wait

    def lead(self, now: int, name: str) -> str:
        if self.leader is None or self.leader.holder == name or self.leader.expires_at <= now:
            self.leader = LeaseState(name, 0, now + LEADER_LEASE_MS)
        return self.leader.holder

    def step_down(self, name: str) -> None:
        if self.leader is not None and self.leader.holder == name:
            self.leader = None
        self.members.pop(name, None)

    def view(self, now: int) -> BoardView:
        self.members = {name: entry for name, entry in self.members.items() if entry[1] > now}
        alive = [replace(member, age=(now - joined) / 1000) for member, _, joined in self.members.values()]
        return BoardView(sorted(alive, key=lambda member: member.name), self.assignment, now)

    def read_leases(self, now: int, shard_count: int) -> Sequence[Lease]:
        found = []
        for shard_id in range(shard_count):
            lease = self.leases.get(ShardKey(shard_count, shard_id))
            if lease is not None and lease.expires_at > now:
                found.append(Lease(shard_id, lease.holder, lease.epoch, lease.expires_at - now))
            else:
                found.append(Lease(shard_id, "", 0, 0))
        return found

    def assign(self, now: int, leader: str, assignment: Assignment) -> bool:
        if self.leader is None or self.leader.holder != leader or self.leader.expires_at <= now:
            return False
        self.assignment = assignment
        return True


@dataclass
class PostgresModel:
    """`fenced=False` plants the bug that the simulation must catch: late writes are not refused."""

    fenced: bool = True
    epochs: dict[ShardKey, tuple[int, str]] = field(default_factory=dict)
    plan: ShardPlan = field(default_factory=ShardPlan)

    def take(self, holder: str, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        for shard in shards:
            self.epochs[shard] = (self.read([shard])[shard] + 1, holder)
        return self.read(shards)

    def read(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        return {shard: self.epochs.get(shard, (0, ""))[0] for shard in shards}

    def write(self, shard: ShardKey, epoch: int) -> bool:
        """A holder's write; False when it is refused as that of a superseded one."""
        return not self.fenced or self.read([shard])[shard] == epoch

    def read_plan(self) -> ShardPlan:
        return replace(self.plan, ran_before=bool(self.epochs))

    def save_plan(self, plan: ShardPlan, was: ShardPlan) -> bool:
        if replace(self.plan, ran_before=False) != replace(was, ran_before=False):
            return False
        self.plan = plan
        return True


@dataclass
class TicketsModel:
    """The identify gate's buckets and budget; times in milliseconds."""

    opens_at: int | None = None
    remaining: int = 0
    resets_at: int = 0
    reserve: int = 0
    buckets: dict[int, tuple[str, int, int]] = field(default_factory=dict)

    def open(self, now: int, budget: Budget, wait: int) -> None:
        remaining = budget.remaining
        if self.opens_at is None:
            self.opens_at = now + wait
        elif self.resets_at > now:
            remaining = min(remaining, self.remaining)
        self.remaining, self.resets_at, self.reserve = remaining, now + budget.reset_after_ms, budget.reserve

    def take(
        self, now: int, bucket: int, holder: str, window: int, hold: int, *, recovery: bool, early: int = 0
    ) -> Ticket:
        if self.opens_at is None:
            return Ticket(250, 1)
        if self.opens_at > now:
            return Ticket(self.opens_at - now, 1)
        held_by, held_until, next_at = self.buckets.get(bucket, ("", 0, 0))
        too_early = next_at - now - early
        if held_by and held_until > now:
            if held_by == holder:
                return Ticket(0, 0, max(next_at - window - now, 0))
            return Ticket(min(held_until - now, max(too_early, 250)), 2)
        if too_early > 0:
            return Ticket(too_early, 3)
        if self.resets_at > now and self.remaining <= (0 if recovery else self.reserve):
            return Ticket(min(self.resets_at - now, 5000), 4)
        self.remaining -= 1
        sent_at = max(next_at, now)
        self.buckets[bucket] = (holder, sent_at + hold, sent_at + window)
        return Ticket(0, 0, sent_at - now)

    def release(self, now: int, bucket: int, holder: str, next_ms: int) -> None:
        if self.buckets.get(bucket, ("",))[0] == holder:
            self.buckets[bucket] = ("", 0, now + next_ms)
