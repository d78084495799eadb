"""The HTTP endpoints every process serves: /livez, /readyz, /healthz, /healthz/{shard_id}, /metrics."""

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from markov_shard.errors import ServiceUnavailableError
from markov_shard.health.verdict import Finding, Health, Verdict

_HEALTH = web.AppKey("health", Health)


def _finding(finding: Finding) -> dict[str, object]:
    return {"state": finding.verdict.name.lower(), "text": finding.text, **finding.details}


async def _livez(request: web.Request) -> web.Response:
    return web.Response(text="live\n")  # the event loop answered: that is what it says


async def _readyz(request: web.Request) -> web.Response:
    health = request.app[_HEALTH]
    if health.is_ready():
        return web.Response(text="ready\n")
    reasons = [f"{part}: {f.text}" for part, f in health.findings().items() if f.verdict is Verdict.DOWN]
    why = "draining" if health.draining else "; ".join(reasons) or "no shard is connected"
    return web.Response(text=f"not ready: {why}\n", status=503)


async def _healthz(request: web.Request) -> web.Response:
    health = request.app[_HEALTH]
    verdict = health.verdict()
    document = {
        "process": health.name,
        "role": health.role,
        "state": verdict.name.lower(),
        "draining": health.draining,
        "parts": {part: _finding(finding) for part, finding in health.findings().items()},
        "shards": {str(shard_id): _finding(finding) for shard_id, finding in health.shards().items()},
    }
    return web.json_response(document, status=503 if verdict is Verdict.DOWN else 200)


async def _healthz_shard(request: web.Request) -> web.Response:
    text = request.match_info["shard_id"]
    finding = request.app[_HEALTH].shards().get(int(text)) if text.isascii() and text.isdigit() else None
    if finding is None:
        return web.json_response({"state": "down", "text": f"shard {text[:20]} is not owned here"}, status=503)
    return web.json_response(_finding(finding), status=503 if finding.verdict is Verdict.DOWN else 200)


def _metrics(registry: CollectorRegistry) -> web.RouteDef:
    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return web.get("/metrics", metrics)


@contextlib.asynccontextmanager
async def serve_health(
    health: Health,
    host: str,
    port: int,
    *,
    routes: Iterable[web.AbstractRouteDef] = (),
    registry: CollectorRegistry = REGISTRY,
) -> AsyncIterator[str]:
    """Serves the endpoints, and the role's own `routes`, while the block runs; gives the URL that others reach it at.

    Port 0 takes a free one. Raises ServiceUnavailableError when the port is in use.
    """
    app = web.Application()
    app[_HEALTH] = health
    app.add_routes(
        [
            web.get("/livez", _livez),
            web.get("/readyz", _readyz),
            web.get("/healthz", _healthz),
            web.get("/healthz/{shard_id}", _healthz_shard),
            _metrics(registry),
            *routes,
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ServiceUnavailableError(
                f"cannot listen on {host}:{port} for health and status: {error.strerror}; set HTTP_PORT or HTTP_HOST"
            ) from None
        bound = runner.addresses[0][1]
        reached_at = _reached_at(host)
        yield f"http://{f'[{reached_at}]' if ':' in reached_at else reached_at}:{bound}"
    finally:
        await runner.cleanup()


def _reached_at(host: str) -> str:
    """Where others reach what is bound to `host`: all addresses stand for the one of the host's own name.

    In a container that is its address in its network; where the name only means loopback, the name itself.
    """
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        return name
    return name if ipaddress.ip_address(address).is_loopback else address
