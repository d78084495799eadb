"""The leader's care for the rollout flags: first values in Postgres, and a true copy in Redis."""

from markov_shard.flags import first_rollouts
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.flags import live_change, publish_flags
from markov_shard.store.flags import ensure_flags

_log = get_logger(__name__)


async def keep_flags(runtime: Runtime) -> None:
    """Gives flags that nobody ever set their first values, and publishes what Redis lost or has not heard of."""
    live = await live_change(runtime.redis)  # before Postgres is read: what is committed meanwhile is newer, not lost
    async with runtime.database.transaction() as connection:
        truth = await ensure_flags(connection, first_rollouts(runtime.settings))
    if live != truth.change_id:
        restored = live is not None and live > truth.change_id
        if await publish_flags(runtime.redis, truth.change_id, truth.rollouts, force=restored):
            _log.info("published the rollout flags", change=truth.change_id, before=live)
