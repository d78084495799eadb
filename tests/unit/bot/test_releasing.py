"""What commands leave behind them."""

import asyncio
import gc
from types import SimpleNamespace
from typing import cast

import hikari
import lightbulb

from discord_sim import DEMO_TOKEN
from markov_shard.bot.releasing import release


class Command(lightbulb.SlashCommand, name="one", description="one"):
    invoked = 0

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context) -> None:
        assert self._current_context is ctx
        Command.invoked += 1


async def contexts_left_by(*hooks: lightbulb.ExecutionHook) -> int:
    """How many contexts of ten commands only a garbage collection frees."""
    app = hikari.GatewayBot(DEMO_TOKEN, banner=None, logs=None)
    client = lightbulb.client_from_app(app, hooks=hooks)
    interaction = cast(hikari.CommandInteraction, SimpleNamespace(resolved=None))
    Command.invoked = 0
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(10):
            await client._execute_command_context(
                lightbulb.Context(client, interaction, [], Command(), asyncio.Event())
            )
        gc.collect()
        return sum(isinstance(one, lightbulb.Context) for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_a_command_leaves_nothing_for_the_garbage_collector() -> None:
    assert await contexts_left_by(release) == 0
    assert Command.invoked == 10


async def test_without_that_it_leaves_everything() -> None:
    """When this fails, lightbulb and linkd let go by themselves, and `releasing` can go."""
    assert await contexts_left_by() == 10
