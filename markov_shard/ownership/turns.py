"""Which set of shards serves what while the fleet is resharded.

Both sets receive every event of the time between. A message and an interaction carry the time of their making in
their ID, so one instant divides them between the sets without any two processes having to agree on "now".
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Turns:
    """`shard_count` serves, until `switch_at` (milliseconds since 1970, 0 while undecided) hands over to `upcoming`.

    After the switch the new count stands in `shard_count` and `switch_at` remains.
    """

    shard_count: int = 0
    upcoming: int = 0
    switch_at: int = 0

    def serves(self, shard_count: int, at: int) -> bool:
        """Whether the set of `shard_count` shards serves what was made at `at`."""
        if not self.switch_at:
            return shard_count == self.shard_count
        if shard_count == (self.upcoming or self.shard_count):
            return at >= self.switch_at
        return at < self.switch_at
