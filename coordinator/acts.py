"""What a signed-in operator may change on the status page. Each takes the request's JSON object."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from markov_shard.errors import MarkovShardError
from markov_shard.flags import FLAGS, Flag, first_rollouts, hundredths_of
from markov_shard.runtime import Runtime
from markov_shard.shared.flags import publish_flags
from markov_shard.store.flags import change_flag, ensure_flags

CHANGED_BY = "the status page"


class NotPossibleError(MarkovShardError):
    """What was asked for on the status page cannot be done; says why."""


class Acts:
    """The changes, on one coordinator's connections."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def set_flag(self, body: Mapping[str, Any]) -> str:
        """`{"flag": …, "percentage": "12.5"}`: in effect in every process within a second."""
        flag, percentage = _flag(body.get("flag")), _percentage(body.get("percentage"))
        async with self._runtime.database.transaction() as connection:
            await ensure_flags(connection, first_rollouts(self._runtime.settings))
            values = await change_flag(
                connection,
                flag,
                lambda rollout: replace(rollout, hundredths=hundredths_of(percentage)),
                changed_by=CHANGED_BY,
            )
        await publish_flags(self._runtime.redis, values.change_id, values.rollouts)
        return f"{flag} is on for {percentage} % of all guilds"


def _flag(name: object) -> Flag:
    for flag in FLAGS:
        if name == flag:
            return flag
    raise NotPossibleError(f"there is no flag {str(name)[:40]!r}; there are {', '.join(FLAGS)}")


def _percentage(given: object) -> Decimal:
    try:
        number = Decimal(str(given))
        exact = number.is_finite() and 0 <= number <= 100 and number == round(number, 2)
    except InvalidOperation:
        exact = False
    if not exact:
        raise NotPossibleError(f"{str(given)[:40]!r} is no percentage from 0 to 100 with two decimal places at most")
    return number
