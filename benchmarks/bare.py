"""Bare hikari, as the yardstick: `python -m benchmarks.bare MODE REST_URL TOKEN [kept]`, on our bot's loop.

`command` answers slash commands with a constant, `message` answers messages with one, `both` does both; `learn` has an
empty listener and prints how many messages it has seen each time that `count` is written to its standard input. hikari
opens a connection for each request unless told otherwise; `kept` tells it, as our bot does.
"""

import asyncio
import sys

import hikari
import orjson
import uvloop

CONSTANT = "apart from comprehensions and `with`, I don't know how I did originally try without it"


def build(rest_url: str, token: str, *, kept: bool) -> hikari.GatewayBot:
    """A bot with our bot's intents, JSON library and lack of a cache."""
    return hikari.GatewayBot(
        token,
        banner=None,
        logs=None,
        intents=hikari.Intents.GUILDS | hikari.Intents.GUILD_MESSAGES | hikari.Intents.MESSAGE_CONTENT,
        rest_url=rest_url,
        http_settings=hikari.impl.HTTPSettings(force_close_transports=not kept),
        loads=orjson.loads,
        dumps=orjson.dumps,
        cache_settings=hikari.impl.CacheSettings(components=hikari.api.CacheComponents.NONE),
    )


async def main(mode: str, rest_url: str, token: str, connections: str = "") -> None:
    bot = build(rest_url, token, kept=connections == "kept")
    seen = 0

    async def answer_command(event: hikari.InteractionCreateEvent) -> None:
        assert isinstance(event.interaction, hikari.CommandInteraction)
        await event.interaction.create_initial_response(hikari.ResponseType.MESSAGE_CREATE, CONSTANT)

    async def answer_message(event: hikari.GuildMessageCreateEvent) -> None:
        await bot.rest.create_message(event.channel_id, CONSTANT, nonce=str(event.message_id))

    async def nothing(event: hikari.GuildMessageCreateEvent) -> None:
        nonlocal seen
        seen += 1

    if mode in ("command", "both"):
        bot.subscribe(hikari.InteractionCreateEvent, answer_command)
    if mode != "command":
        bot.subscribe(hikari.GuildMessageCreateEvent, nothing if mode == "learn" else answer_message)
    await bot.start(check_for_updates=False)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        sys.stdout.write(f"{seen}\n")
        sys.stdout.flush()
    await bot.close()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
