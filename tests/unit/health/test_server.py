"""The endpoints, over real HTTP on loopback."""

import asyncio
import socket
import sys

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from markov_shard.errors import ServiceUnavailableError
from markov_shard.health import Finding, Health, Verdict, serve_health


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_endpoints_tell_live_ready_and_each_shard() -> None:
    health = Health("shard", "shard-1")
    health.set_shards(lambda: {0: Finding(Verdict.OK, "connected"), 3: Finding(Verdict.DOWN, "closed: 4014")})
    registry = CollectorRegistry()
    Counter("markov_events", "Events", registry=registry).inc(3)
    async with serve_health(health, "127.0.0.1", 0, registry=registry) as url:
        assert (await get(f"{url}/livez"))[0] == 200
        assert (await get(f"{url}/readyz"))[0] == 200
        status, text = await get(f"{url}/healthz")
        assert status == 200
        assert '"degraded"' in text
        assert (await get(f"{url}/healthz/0"))[0] == 200
        status, text = await get(f"{url}/healthz/3")
        assert status == 503
        assert "4014" in text
        assert (await get(f"{url}/healthz/7"))[0] == 503
        assert (await get(f"{url}/healthz/²"))[0] == 503
        assert "markov_events_total 3.0" in (await get(f"{url}/metrics"))[1]
        health.draining = True
        assert await get(f"{url}/readyz") == (503, "not ready: draining\n")
        assert (await get(f"{url}/livez"))[0] == 200


async def test_a_port_in_use_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServiceUnavailableError, match=f"127.0.0.1:{port}.*HTTP_PORT"):
            async with serve_health(Health("shard", "x"), "127.0.0.1", port):
                pass


async def test_what_listens_everywhere_names_an_address_that_others_can_use() -> None:
    async with serve_health(Health("shard", "x"), "0.0.0.0", 0) as url:
        assert "//0.0.0.0:" not in url
        assert url.rpartition(":")[2].isdigit()


async def test_the_containers_probe_tells_a_live_process_from_a_drained_and_a_missing_one() -> None:
    async def probe(port: str, path: str) -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "markov_shard.probe",
            env={"HTTP_PORT": port, "PROBE_PATH": path},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said

    health = Health("shard", "x")
    async with serve_health(health, "127.0.0.1", 0) as url:
        port = url.rpartition(":")[2]
        assert await probe(port, "/livez") == (0, b"live\n")
        health.draining = True
        assert await probe(port, "/readyz") == (1, b"not ready: draining\n")
    status, said = await probe(port, "/livez")
    assert status == 1
    assert b"refused" in said
