"""Slash commands are registered where the settings say, and only when they changed."""

import pytest

from discord_sim.state import Json
from markov_shard.bot.registration import register_commands
from markov_shard.bot.service import build_bot
from markov_shard.settings import Settings
from tests.integration.bot.harness import Bot

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def written(bot: Bot, settings: Settings) -> list[Json]:
    """What a start of the leader changes of Discord's commands."""
    before = max((entry["seq"] for entry in bot.sim.journal.since(0)), default=0)
    await register_commands(build_bot(settings), settings)
    return [e for e in bot.sim.journal.since(before, "rest") if e["method"] != "GET" and "/commands" in e["path"]]


async def test_commands_that_are_right_are_left_alone(bot: Bot) -> None:
    assert not await written(bot, bot.runtime.settings)


async def test_a_changed_name_is_registered_and_taken_back(bot: Bot) -> None:
    settings = bot.runtime.settings
    application = next(iter(bot.sim.world.applications.values()))
    before = {command["name"] for command in application.commands[None].values()}
    assert await written(bot, settings.model_copy(update={"slash_command_name": "babble"}))
    assert {command["name"] for command in application.commands[None].values()} == before - {"mark"} | {"babble"}
    assert await written(bot, settings)
    assert {command["name"] for command in application.commands[None].values()} == before


async def test_commands_may_be_a_development_guilds_own(bot: Bot) -> None:
    server = bot.guild()
    application = next(iter(bot.sim.world.applications.values()))
    await written(bot, bot.runtime.settings.model_copy(update={"dev_guild_id": server.id}))
    assert "mark" in {command["name"] for command in application.commands[server.id].values()}
    await written(bot, bot.runtime.settings)
    assert "mark" in {command["name"] for command in application.commands[None].values()}
