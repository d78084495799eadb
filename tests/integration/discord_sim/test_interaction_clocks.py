"""The clocks of interactions: three seconds for the first answer, fifteen minutes for the token, each answered once."""

from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import pytest_asyncio

from discord_sim.client import SimClient
from discord_sim.client.core import ControlError
from discord_sim.clock import Clock
from tests.integration.discord_sim.discord_py_bot import Bot, running
from tests.standin import no_limits, stand_in

NOW = 1_795_000_000.0
"""The stand-in's time, which moves only when told to."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot() -> AsyncIterator[Bot]:
    """discord.py with one command, whose answers are given by hand."""
    async with (
        stand_in(rest_limits=no_limits(), clock=Clock(lambda: NOW, lambda: NOW)) as sim,
        running(sim) as connected,
    ):
        connected.tree.clear_commands(guild=None)

        @connected.tree.command(description="Waits to be answered by hand")
        async def wait(interaction: discord.Interaction) -> None:
            connected.dispatch("held", interaction)

        await connected.tree.sync()
        yield connected


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(bot: Bot) -> AsyncIterator[SimClient]:
    async with SimClient(bot.sim.public_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def held(bot: Bot, client: SimClient) -> "Held":
    """A command that a member has just used, as the library hands it over."""
    made = await client.create_guild("Tests", members=[{"username": "mira"}])
    member = next(item["id"] for item in made["members"] if item["username"] == "mira")
    number = await client.start_command(made["channels"][0]["id"], member, "wait")
    interaction = await bot.event("held", lambda interaction: str(interaction.id) == number)
    return Held(number, interaction, client)


class Held:
    def __init__(self, number: str, interaction: Any, client: SimClient) -> None:
        self.number = number
        self.of: discord.Interaction = interaction
        self._client = client

    def again(self) -> None:
        """The library guards against a second answer; let it forget the first."""
        self.of.response._response_type = None

    async def state(self) -> str:
        return str((await self._client.interaction(self.number))["state"])


async def test_the_first_answer_within_three_seconds(held: Held, client: SimClient) -> None:
    await client.advance(2)
    assert await held.state() == "pending"
    await held.of.response.send_message("in time")
    assert await held.state() == "answered"


async def test_the_first_answer_after_three_seconds(held: Held, client: SimClient) -> None:
    await client.advance(3)
    assert await held.state() == "failed"
    with pytest.raises(discord.NotFound) as late:
        await held.of.response.send_message("late")
    assert late.value.code == 10062
    with pytest.raises(ControlError, match="did not answer within 3 s"):
        await client.answer(held.number)
    with pytest.raises(discord.NotFound) as none:
        await held.of.followup.send("nothing to follow")
    assert none.value.code == 10015


async def test_each_is_answered_once(held: Held) -> None:
    await held.of.response.send_message("first")
    for answer in (held.of.response.send_message("second"), held.of.response.defer()):
        held.again()
        with pytest.raises(discord.HTTPException) as twice:
            await answer
        assert (twice.value.status, twice.value.code) == (400, 40060)
    assert (await held.of.original_response()).content == "first"


async def test_a_deferral_holds_for_fifteen_minutes(held: Held, client: SimClient) -> None:
    await held.of.response.defer(thinking=True)
    await client.advance(14 * 60)
    assert await held.state() == "deferred"
    await held.of.edit_original_response(content="at last")
    assert await held.state() == "answered"
    await held.of.followup.send("and more")
    await client.advance(61)
    for late in (held.of.followup.send("too late"), held.of.edit_original_response(content="too late")):
        with pytest.raises(discord.HTTPException) as over:
            await late
        assert (over.value.status, over.value.code) == (401, 50027)


async def test_an_answer_that_was_refused_may_be_given_again(held: Held) -> None:
    with pytest.raises(discord.HTTPException) as refused:
        await held.of.response.send_message("x" * 2001)
    assert refused.value.code == 50035
    await held.of.response.send_message("shorter")
    assert await held.state() == "answered"


async def test_a_token_is_of_one_interaction(bot: Bot, client: SimClient, held: Held) -> None:
    real, held.of.token = held.of.token, "made-up"
    with pytest.raises(discord.NotFound) as unknown:
        await held.of.response.send_message("hello")
    assert unknown.value.code == 10062
    held.of.token = real
    await held.of.response.send_message("hello")
    await held.of.delete_original_response()
    with pytest.raises(discord.NotFound) as gone:
        await held.of.original_response()
    assert gone.value.code == 10008
