"""What a signed-in operator may change on the status page. Each takes the request's JSON object."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from markov_shard.errors import MarkovShardError
from markov_shard.flags import FLAGS, Flag, first_rollouts, hundredths_of
from markov_shard.runtime import Runtime
from markov_shard.shared.coordination import read_drains, set_drain
from markov_shard.shared.flags import publish_flags
from markov_shard.shared.members import Member, read_members
from markov_shard.store.flags import change_flag, ensure_flags

CHANGED_BY = "the status page"


class NotPossibleError(MarkovShardError):
    """What was asked for on the status page cannot be done; says why."""


class Acts:
    """The changes, on one coordinator's connections."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def drain(self, body: Mapping[str, Any]) -> str:
        """`{"process": …}`: it hands its shards over, sessions kept, and serves nothing until it is brought back."""
        process = await self._shard_process(body.get("process"))
        others = [m for m in await self._serving() if m.name != process.name]
        if not others:
            raise NotPossibleError(f"{process.name} is the only shard process that serves: nobody could take over")
        await set_drain(self._runtime.redis, process.name, drain=True)
        return f"{process.name} drains"

    async def undrain(self, body: Mapping[str, Any]) -> str:
        """`{"process": …}`: it gets shards again."""
        process = await self._shard_process(body.get("process"))
        await set_drain(self._runtime.redis, process.name, drain=False)
        return f"{process.name} serves again"

    async def _serving(self) -> Sequence[Member]:
        drains = await read_drains(self._runtime.redis)
        members = await read_members(self._runtime.redis)
        return [m for m in members if m.role == "shard" and not m.draining and m.name not in drains]

    async def _shard_process(self, name: object) -> Member:
        for member in await read_members(self._runtime.redis):
            if member.name == name and member.role == "shard":
                return member
        raise NotPossibleError(f"there is no shard process {str(name)[:64]!r}")

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
