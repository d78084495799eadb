"""What the leader does with Discord: asks how to connect, and registers the slash commands."""

import contextlib
from collections.abc import AsyncIterator

import hikari
import lightbulb

from markov_shard.bot.client import build_client
from markov_shard.bot.gateway import FleetBot, explained
from markov_shard.settings import Settings, reveal


@contextlib.asynccontextmanager
async def rest_client(settings: Settings) -> AsyncIterator[hikari.api.RESTClient]:
    """A REST client of the bot, for as long as the block runs."""
    app = hikari.RESTApp(url=settings.rest_url)
    await app.start()
    try:
        async with app.acquire(reveal(settings.token) or "", hikari.TokenType.BOT) as rest:
            yield rest
    finally:
        await app.close()


async def gateway_info(settings: Settings) -> hikari.GatewayBotInfo:
    """`GET /gateway/bot`. Raises DiscordUnavailableError, also for a token that Discord refuses."""
    try:
        async with rest_client(settings) as rest:
            return await rest.fetch_gateway_bot_info()
    except (hikari.HikariError, OSError) as error:
        raise explained(error) from error


async def register_commands(bot: FleetBot, settings: Settings) -> None:
    """Makes Discord's slash commands those of this program; commands that are right already are left alone.

    `bot` is one without shards. Raises DiscordUnavailableError.
    """
    client = build_client(bot, settings, {})
    try:
        await bot.open(1)
        try:
            await client.start()
            await client.sync_application_commands()
        finally:
            await bot.close()
    except (hikari.HikariError, lightbulb.exceptions.LightbulbException, OSError) as error:
        raise explained(error) from error
