"""What every REST request meets: the log, faults, authorisation, Discord's error JSON and rate-limit headers."""

from __future__ import annotations

import asyncio
import math

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from discord_sim.faults import RestFault
from discord_sim.parts import Parts
from discord_sim.rest.bodies import form_of
from discord_sim.rest.errors import ApiError, Code
from discord_sim.rest.limits import Verdict
from discord_sim.state import Application, Json

API = r"/api/{version:v10|v9}"
_APPLICATION = web.RequestKey("application", Application)
_RECORDED_BYTES = 256 << 10
_CUT = 499
"""What the log says of an answer that nobody heard."""
_FROM_DISCORD = {"Via": "1.1 google"}
"""Libraries take a 429 without it for a ban by Cloudflare, and do not try again."""


def answer(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def no_content() -> web.Response:
    return web.Response(status=204)


def application_of(request: web.Request) -> Application:
    """The bot that asks; only for routes that need a token."""
    found: Application = request[_APPLICATION]
    return found


def rest_middleware(sim: Parts) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            return await _api(sim, request, handler)
        if request.path.startswith("/sim/"):
            return await _control(request, handler)
        return await handler(request)

    return middleware


async def _api(sim: Parts, request: web.Request, handler: Handler) -> web.StreamResponse:
    address = request.remote or ""
    if wait := sim.limiter.banned(address):
        return web.Response(
            status=429, text="<h1>Error 1015</h1>", content_type="text/html", headers={"Retry-After": f"{wait:.0f}"}
        )
    fault = sim.faults.rest_fault(request.method, request.path)
    if fault is not None and fault.latency:
        await asyncio.sleep(fault.latency)
    verdict = Verdict({})
    if fault is not None and fault.drop == "before":
        response = _cut(request)
    elif fault is not None and fault.status is not None:
        response, verdict = _failure(fault, fault.status)
    else:
        response, verdict = await _handled(sim, request, handler)
        if fault is not None and fault.drop == "after":
            response = _cut(request)
    _check_answer(sim, request, response)
    response.headers.update(verdict.headers | _FROM_DISCORD)
    sim.limiter.count_invalid(address, response.status, verdict.scope)
    entry: Json = {"method": request.method, "path": request.path, "status": response.status}
    if sim.journal.recording:
        entry |= {"query": dict(request.query), "fault": fault is not None, **await _recorded(request)}
    sim.journal.record("rest", **entry)
    return response


def _failure(fault: RestFault, status: int) -> tuple[web.StreamResponse, Verdict]:
    body: Json = {"message": fault.message, "code": fault.code}
    if status != 429:
        return answer(body, status), Verdict({})
    return _too_many(Verdict({"X-RateLimit-Scope": fault.scope}, fault.scope, fault.retry_after))


def _too_many(verdict: Verdict) -> tuple[web.StreamResponse, Verdict]:
    is_global = verdict.scope == "global"
    wait = round(verdict.retry_after, 3)
    body = {"message": "You are being rate limited.", "code": 0, "retry_after": wait, "global": is_global}
    headers = (
        verdict.headers | {"Retry-After": str(math.ceil(wait))} | ({"X-RateLimit-Global": "true"} if is_global else {})
    )
    return answer(body, 429), Verdict(headers, verdict.scope, wait)


def _cut(request: web.Request) -> web.StreamResponse:
    """The client loses its connection and hears nothing."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=_CUT)


async def _recorded(request: web.Request) -> Json:
    """What a request said, for the log: its JSON and, of a form, the names and sizes of its files."""
    if (form := form_of(request)) is not None:
        files = [{"name": file.filename, "bytes": len(file.data)} for file in form.files.values()]
        return {"body": form.json, "files": files}
    if not request.content_type.startswith("application/json"):
        return {"body": None}
    try:
        data = await request.read()
        return {"body": orjson.loads(data) if 0 < len(data) <= _RECORDED_BYTES else None}
    except (orjson.JSONDecodeError, web.HTTPException, ConnectionError):
        return {"body": None}


async def _handled(sim: Parts, request: web.Request, handler: Handler) -> tuple[web.StreamResponse, Verdict]:
    """The route's answer, or Discord's error for what was wrong."""
    verdict = Verdict({})
    try:
        open_to_all = _is_open(request.path)
        if not open_to_all:
            request[_APPLICATION] = _authorised(sim, request)
        if request.path.split("/")[3:4] != ["interactions"]:
            verdict = _check_limits(sim, request, counts_globally=not open_to_all)
            if verdict.scope is not None:
                return _too_many(verdict)
        return await handler(request), verdict
    except ApiError as raised:
        error = raised
    except web.HTTPNotFound:
        error = ApiError(Code.NOT_FOUND)
    except web.HTTPMethodNotAllowed:
        error = ApiError(Code.METHOD_NOT_ALLOWED)
    except web.HTTPRequestEntityTooLarge:
        error = ApiError(Code.ENTITY_TOO_LARGE)
    return answer(error.body(), error.status), verdict


def _check_answer(sim: Parts, request: web.Request, response: web.StreamResponse) -> None:
    """Writes down where an answer is not as Discord's document says, when tests gave us the document."""
    if response.status == _CUT or not isinstance(response, web.Response):
        return
    if sim.contract is not None and isinstance(response.body, bytes | None):
        path = request.path.removeprefix("/api/").partition("/")[2]
        found = sim.contract.violations(request.method, path, response.status, response.body)
        sim.violations += found


def _check_limits(sim: Parts, request: web.Request, *, counts_globally: bool) -> Verdict:
    resource, named = request.match_info.route.resource, request.match_info
    route = request.path if resource is None else resource.canonical
    majors = (named.get("channel"), named.get("guild"), named.get("webhook"), named.get("token"))
    major = next((item for item in majors if item is not None), "")
    caller = request.headers.get("Authorization", "") if counts_globally else ""
    return sim.limiter.check(caller, request.method, route, major, counts_globally=counts_globally)


def _is_open(path: str) -> bool:
    """Interaction answers and webhooks carry their token in the path."""
    parts = path.split("/")[3:]
    return parts[:1] in (["interactions"], ["webhooks"]) or parts == ["gateway"]


def _authorised(sim: Parts, request: web.Request) -> Application:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    application = sim.world.by_token(token) if scheme == "Bot" and token else None
    if application is None:
        raise ApiError(Code.UNAUTHORIZED)
    return application


async def _control(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return answer(error.body(), error.status)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        return answer({"message": wrong}, 400)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
        return answer({"message": what}, 400)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return answer({"message": error.reason}, error.status)
