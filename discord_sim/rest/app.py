"""What every REST request meets: the log, faults, authorisation, Discord's error JSON and rate-limit headers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import Application, Json

if TYPE_CHECKING:
    from discord_sim.server import DiscordSim

API = r"/api/{version:v10|v9}"
_APPLICATION = "application"
_LIMIT = 1000


def answer(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def no_content() -> web.Response:
    return web.Response(status=204)


def application_of(request: web.Request) -> Application:
    """The bot that asks; only for routes that need a token."""
    found: Application = request[_APPLICATION]
    return found


def rest_middleware(sim: DiscordSim) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            response = await _api(sim, request, handler)
            response.headers.update(_rate_limit(sim, request))
            sim.journal.record("rest", method=request.method, path=request.path, status=response.status)
            return response
        if request.path.startswith("/sim/"):
            return await _control(request, handler)
        return await handler(request)

    return middleware


async def _api(sim: DiscordSim, request: web.Request, handler: Handler) -> web.StreamResponse:
    if (fault := sim.faults.rest_fault(request.path)) is not None:
        body: Json = {"message": "A fault that was asked for.", "code": 0}
        if fault.status == 429:
            body |= {"retry_after": fault.retry_after, "global": False}
        response = answer(body, fault.status)
        if fault.status == 429:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response
    try:
        if not _is_open(request.path):
            request[_APPLICATION] = _authorised(sim, request)
        return await handler(request)
    except ApiError as raised:
        error = raised
    except web.HTTPNotFound:
        error = ApiError(Code.NOT_FOUND)
    except web.HTTPMethodNotAllowed:
        error = ApiError(Code.METHOD_NOT_ALLOWED)
    except web.HTTPRequestEntityTooLarge:
        error = ApiError(Code.ENTITY_TOO_LARGE)
    return answer(error.body(), error.status)


def _is_open(path: str) -> bool:
    """Interaction answers and webhooks carry their token in the path."""
    parts = path.split("/")[3:]
    return parts[:1] in (["interactions"], ["webhooks"]) or parts == ["gateway"]


def _authorised(sim: DiscordSim, request: web.Request) -> Application:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    application = sim.world.by_token(token) if scheme == "Bot" and token else None
    if application is None:
        raise ApiError(Code.UNAUTHORIZED)
    return application


def _rate_limit(sim: DiscordSim, request: web.Request) -> dict[str, str]:
    """Headers of a bucket that never runs out."""
    route = request.match_info.route.resource
    name = f"{request.method} {route.canonical if route else request.path}"
    return {
        "X-RateLimit-Limit": str(_LIMIT),
        "X-RateLimit-Remaining": str(_LIMIT - 1),
        "X-RateLimit-Reset": f"{sim.clock.wall() + 1:.3f}",
        "X-RateLimit-Reset-After": "1.000",
        "X-RateLimit-Bucket": hashlib.blake2b(name.encode(), digest_size=8).hexdigest(),
    }


async def _control(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return answer(error.body(), error.status)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
        return answer({"message": what}, 400)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return answer({"message": error.reason}, error.status)
