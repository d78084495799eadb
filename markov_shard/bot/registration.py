"""Registering the slash commands, which the leading coordinator alone does."""

import hikari
import lightbulb

from markov_shard.bot.client import build_client
from markov_shard.bot.fleet_bot import FleetBot
from markov_shard.rest import explained
from markov_shard.settings import Settings


async def register_commands(bot: FleetBot, settings: Settings) -> None:
    """Makes Discord's slash commands those of this program; commands that are right already are left alone.

    `bot` is one without shards. Raises DiscordUnavailableError.
    """
    client = build_client(bot, settings, {}, register=True)
    try:
        await bot.open(1)
        try:
            await client.start()
        finally:
            await bot.close()
    except (hikari.HikariError, lightbulb.exceptions.LightbulbException, OSError) as error:
        raise explained(error) from error
