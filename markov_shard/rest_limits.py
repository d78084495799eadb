"""Puts every HTTP request of a hikari REST client under the fleet's one budget.

hikari sends each try through its aiohttp session, whose tracing hooks are public: one waits before a request,
the other sees its answer.
"""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import hikari
from redis.asyncio import Redis

from markov_shard.health import Finding, Verdict
from markov_shard.health.metrics import Metrics
from markov_shard.settings import Settings
from markov_shard.shared.rest_budget import RestBudget, RestPausedError

_UNLIMITED = ("/interactions/", "/webhooks/")
"""Answers to interactions are outside the bot's limit."""


def keep_to(budget: RestBudget, rest: hikari.api.RESTClient) -> None:
    """The client's requests wait for their time from now on; while the breaker is open, hikari's HTTPError is raised.

    The client must have been started.
    """
    client: Any = rest
    session: aiohttp.ClientSession = client._client_session  # noqa: SLF001 - hikari has no other way in
    hooks = aiohttp.TraceConfig()

    async def before(_: object, __: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
        try:
            await budget.take(limited=not any(part in request.url.path for part in _UNLIMITED))
        except RestPausedError as error:
            raise hikari.HTTPError(str(error)) from error

    async def after(_: object, __: SimpleNamespace, request: aiohttp.TraceRequestEndParams) -> None:
        headers = request.response.headers
        await budget.answered(
            request.response.status,
            scope=headers.get("X-RateLimit-Scope", ""),
            retry_after=_seconds(headers.get("Retry-After")),
        )

    hooks.on_request_start.append(before)
    hooks.on_request_end.append(after)
    hooks.freeze()
    session.trace_configs.append(hooks)


def rest_budget(settings: Settings, redis: Redis) -> RestBudget:
    """The fleet's budget by the settings."""
    return RestBudget(redis, limit_of(settings.rest_url, settings.rest_requests_per_second))


def budget_finding(budget: RestBudget) -> Finding:
    """For the health page."""
    invalid = budget.invalid_in_10_minutes
    text = f"{invalid} invalid answers from Discord in 10 minutes"
    if budget.paused:
        return Finding(Verdict.DEGRADED, f"REST requests are paused: {text}", {"invalid": invalid})
    return Finding(Verdict.OK, text, {"invalid": invalid})


def measure_rest(metrics: Metrics, budget: RestBudget) -> None:
    """What this process asks of Discord."""
    metrics.total("markov_rest_requests", "Requests sent to Discord", lambda: budget.requests)
    metrics.total("markov_rest_waited_seconds", "Seconds requests waited for the fleet's limit", lambda: budget.waited)
    metrics.total("markov_rest_invalid", "Answers of 401, 403 and 429 to this process", lambda: budget.invalid)
    metrics.gauge("markov_rest_paused", "1 while too many invalid answers keep requests back", lambda: budget.paused)


def _seconds(value: str | None) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return 0.0


def limit_of(rest_url: str, configured: int | None) -> int:
    """Requests a second for the fleet to keep to by itself: as configured, else Discord's limit where it is asked
    directly; a proxy, and the stand-in, keep their own."""
    if configured is not None:
        return configured
    host = urlsplit(rest_url).hostname or ""
    return 50 if host == "discord.com" or host.endswith(".discord.com") else 0
