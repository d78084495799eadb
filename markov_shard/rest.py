"""Discord's REST API outside the gateway bot: for the coordinator and the workers."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import hikari
import orjson
from hikari.internal import data_binding, routes

from markov_shard.errors import DiscordRefusedError, DiscordUnavailableError
from markov_shard.rest_limits import keep_to
from markov_shard.rest_lines import keep_lines_moving
from markov_shard.settings import Settings, reveal
from markov_shard.shared.rest_budget import RestBudget


@contextlib.asynccontextmanager
async def rest_client(settings: Settings, budget: RestBudget | None = None) -> AsyncIterator[hikari.api.RESTClient]:
    """A REST client of the bot, for as long as the block runs; with `budget` it keeps to the fleet's."""
    app = hikari.RESTApp(url=settings.rest_url)
    await app.start()
    try:
        async with app.acquire(reveal(settings.token) or "", hikari.TokenType.BOT) as rest:
            keep_lines_moving(rest)
            if budget is not None:
                keep_to(budget, rest)
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


_MY_APPLICATION = routes.Route("GET", "/applications/@me").compile()


async def guild_count(settings: Settings) -> int:
    """About how many guilds the bot is in; 0 where Discord does not say. Raises DiscordUnavailableError."""
    try:
        async with rest_client(settings) as rest:
            client: Any = rest
            application = await client._request(_MY_APPLICATION)  # noqa: SLF001 - as below
            return int(application.get("approximate_guild_count") or 0)  # hikari's own method insists on it
    except (hikari.HikariError, OSError) as error:
        raise explained(error) from error


async def send_message(
    rest: hikari.api.RESTClient, channel_id: int, body: Mapping[str, Any], file: hikari.Bytes | None = None
) -> int:
    """`POST /channels/{channel}/messages`; returns the new message's ID. Raises hikari's errors.

    hikari's own method reads the whole message that comes back; an answer needs its ID at most.
    """
    client: Any = rest
    route = routes.POST_CHANNEL_MESSAGES.compile(channel=channel_id)
    message = await client._request(route, **_content(body, file))  # noqa: SLF001 - as below
    return int(message["id"])


async def answer_interaction(
    rest: hikari.api.RESTClient, interaction: hikari.PartialInteraction, data: Mapping[str, Any]
) -> None:
    """`POST /interactions/{id}/{token}/callback` with a message as the first answer. Raises hikari's errors.

    hikari's own method asks Discord for the message it made, and reads it; nobody needs it.
    """
    client: Any = rest
    route = routes.POST_INTERACTION_RESPONSE.compile(interaction=interaction.id, token=interaction.token)
    body = {"type": int(hikari.ResponseType.MESSAGE_CREATE), "data": data}
    await client._request(route, json=body, auth=None)  # noqa: SLF001 - as below


async def follow_up(
    rest: hikari.api.RESTClient,
    interaction: hikari.PartialInteraction,
    body: Mapping[str, Any],
    file: hikari.Bytes | None = None,
) -> int:
    """`POST /webhooks/{application}/{token}`: a message after the first answer, or in the place of a deferred one.

    Returns its ID. Raises hikari's errors.
    """
    client: Any = rest
    route = routes.POST_WEBHOOK_WITH_TOKEN.compile(webhook=interaction.application_id, token=interaction.token)
    message = await client._request(route, query={"wait": "true"}, auth=None, **_content(body, file))  # noqa: SLF001
    return int(message["id"])


def _content(body: Mapping[str, Any], file: hikari.Bytes | None) -> Mapping[str, Any]:
    """A body as JSON or, with a file, as a form. hikari's own has a number where Discord's document wants a string."""
    if file is None:
        return {"json": body}
    form: Any = data_binding.URLEncodedFormBuilder()
    form.add_resource("files[0]", file)
    body = {**body, "attachments": [{"id": "0", "filename": file.filename}]}
    form.add_field("payload_json", orjson.dumps(body), content_type="application/json")
    return {"form_builder": form}


_REFRESH_URLS = routes.Route("POST", "/attachments/refresh-urls")


async def refresh_urls(rest: hikari.api.RESTClient, urls: Sequence[str]) -> Mapping[str, str | None]:
    """New signatures for up to 50 attachment URLs; None for a file that is gone. Raises DiscordUnavailableError.

    hikari has no method for this route; its own request keeps our one set of rate limits.
    """
    client: Any = rest
    try:
        found = await client._request(_REFRESH_URLS.compile(), json={"attachment_urls": list(urls)})  # noqa: SLF001
    except (hikari.HikariError, OSError) as error:
        raise explained(error) from error
    return {pair["original"]: pair["refreshed"] for pair in found["refreshed_urls"]}


def explained(error: BaseException) -> DiscordUnavailableError:
    """A library's error as one line for an operator."""
    if isinstance(error, hikari.UnauthorizedError):
        return DiscordRefusedError("Discord refuses the token: check TOKEN (Developer Portal, Bot, Reset Token)")
    if isinstance(error, hikari.GatewayServerClosedConnectionError) and error.code == 4014:
        return DiscordRefusedError(
            "Discord refuses the Message Content intent: switch it on in the Developer Portal, Bot, Privileged Intents"
        )
    return DiscordUnavailableError(f"Discord cannot be used: {(str(error).splitlines() or [type(error).__name__])[0]}")
