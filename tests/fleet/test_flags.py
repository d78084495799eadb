"""Rollout flags raised while a fleet of real processes answers: guilds only join, and no answer is lost."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count

import pytest

from discord_sim.client import SimClient
from markov_shard.flags import place_of
from markov_shard.ranges import shard_of
from markov_shard.store.flags import flag_history
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from tests.fleet.processes import SHARD_COUNT, Fleet

pytestmark = pytest.mark.timeout(150)

PROCESSES = ("shard-1", "shard-2")
STEPS = (1, 10, 50, 100)
ENGINES = {"Generated optimized response text": True, "Generated response text": False}
MOST_SECONDS = 30.0
"""From a change to the process that takes it up; a second is meant, and no slow machine shall fail this."""


@dataclass
class Asked:
    """A guild that is asked again and again, and how often it answered."""

    guild_id: int
    channel: str
    member: str
    answers: int = 0


def guild_ids() -> list[int]:
    """Some that join at each step, on every shard; the last one only at 100 %."""
    found: list[int] = []
    for low, high, wanted in ((0, 1, 4), (1, 10, 8), (10, 50, 8), (50, 100, 8)):
        candidates = (number << 22 for number in count(300_000_000_000 + low))
        fitting = (guild for guild in candidates if low * 100 <= place_of(guild) < high * 100)
        found += [next(g for g in fitting if shard_of(g, SHARD_COUNT) == n % SHARD_COUNT) for n in range(wanted)]
    return found


@dataclass
class Asking:
    """Members who never stop asking."""

    sim: SimClient
    guilds: Sequence[Asked]
    words: Collection[str]
    """What answers are made of."""
    _task: asyncio.Task[None] | None = None

    async def _ask(self, guild: Asked) -> None:
        done = await self.sim.run_command(guild.channel, guild.member, "mark", {})
        text = done["response"]["content"]
        assert text, "an answer was lost"
        assert set(text.split()) <= self.words, text
        guild.answers += 1

    async def _run(self) -> None:
        while True:
            await asyncio.gather(*map(self._ask, self.guilds))

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        self._task = asyncio.create_task(self._run())
        try:
            yield
            self._check()
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _check(self) -> None:
        """Fails with what went wrong with an answer."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def each_again(self) -> None:
        """Waits until every guild has been asked and has answered anew."""
        before = [guild.answers for guild in self.guilds]
        while any(guild.answers < had + 2 for guild, had in zip(self.guilds, before, strict=True)):
            self._check()
            await asyncio.sleep(0.02)


async def made(sim: SimClient, database: Database, guild_id: int, lines: Sequence[str]) -> Asked:
    guild = await sim.create_guild(
        f"server {guild_id}",
        guild_id=guild_id,
        channels=[{"name": "general"}],
        members=[{"username": f"owner-{guild_id}", "admin": True}, {"username": f"member-{guild_id}"}],
    )
    member = next(m["id"] for m in guild["members"] if not m["bot"] and not m["admin"])
    async with database.connection() as connection:
        messages = [StoredMessage(number, 1, 1, line) for number, line in enumerate(lines, 1)]
        await learn_messages(connection, guild_id, messages)
    return Asked(guild_id, guild["channels"][0]["id"], member)


def taken_up(fleet: Fleet, process: str, change: int) -> datetime | None:
    """When a process began to go by a change."""
    for line in fleet.log(process):
        if line["event"] == "taking up the rollout flags" and line["change"] >= change:
            return datetime.fromisoformat(line["timestamp"])
    return None


def engines(fleet: Fleet) -> dict[int, list[bool]]:
    """Of each guild's answers, in their order, whether the engine's images gave them."""
    found: dict[int, list[bool]] = {}
    for process in PROCESSES:
        for line in fleet.log(process):
            if line["event"] in ENGINES:
                found.setdefault(int(line["guild"]), []).append(ENGINES[line["event"]])
    return found


@pytest.mark.long
async def test_raising_a_flag_adds_guilds_within_a_second_and_loses_no_answer(
    fleet: Fleet, sim: SimClient, database: Database, chat: Sequence[str]
) -> None:
    ids = guild_ids()
    forced = ids[-1]
    fleet.environment |= {
        "OPTIMIZATION_ROLLOUT_PERCENTAGE": "0",
        "OPTIMIZATION_FORCE_GUILD_IDS": str(forced),
        "ANSWER_BUDGET_MS": "1000",
        "LOG_LEVEL": "info",
    }
    taught = chat[:400]
    guilds = [await made(sim, database, guild_id, taught) for guild_id in ids]
    asking = Asking(sim, guilds, frozenset(" ".join(taught).split()))
    await fleet.start("coordinator-1", *PROCESSES)
    await fleet.ready()
    await sim.wait_for_command(str(ids[0]), "mark")
    async with asking.going_on():
        await asking.each_again()
        assert {guild for guild, used in engines(fleet).items() if used[-1]} == {forced}
        for percent in STEPS:
            status, out, error = await fleet.command("flags", "set", "markov_store", str(percent), "--json")
            assert status == 0, out + error
            async with database.connection() as connection:
                change = (await flag_history(connection, limit=1))[0]
            for process in PROCESSES:
                while (at := taken_up(fleet, process, change.change_id)) is None:
                    await asyncio.sleep(0.02)
                lag = (at - change.changed_at).total_seconds()
                print(f"{percent} %: in effect in {process} after {lag:.2f} s")  # noqa: T201 - what this test is for
                assert lag <= MOST_SECONDS
            await asking.each_again()
            wanted = {guild for guild in ids if place_of(guild) < percent * 100 or guild == forced}
            assert {guild for guild, used in engines(fleet).items() if used[-1]} == wanted
    for guild, used in engines(fleet).items():
        assert used == sorted(used), f"guild {guild} left the rollout again"
        assert guild != forced or all(used)
    answered = {guild.guild_id: guild.answers for guild in asking.guilds}
    assert all(len(engines(fleet)[guild]) >= answers for guild, answers in answered.items())
    lines = [line["event"] for process in PROCESSES for line in fleet.log(process)]
    assert {"Using optimized MarkovStore", "Loaded Markov chains from store"} <= set(lines), "operators look for these"
    assert set((await fleet.stop()).values()) == {0}
