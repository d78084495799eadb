"""Real processes keep their secrets: in arguments, logs, endpoints and error lines."""

import asyncio
import base64
import os
import sys
from pathlib import Path

import aiohttp
import pytest

from discord_sim import DEMO_TOKEN

ROOT = Path(__file__).parents[2]
STATUS_TOKEN = "correct-horse-battery-staple"
PASSWORD = "hunter2-hunter2"
SECRETS = (DEMO_TOKEN, STATUS_TOKEN, PASSWORD)


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "CONFIG_DIR": str(tmp_path),
        "DATA_DIR": str(tmp_path),
        "TOKEN": DEMO_TOKEN,
        "STATUS_TOKEN": STATUS_TOKEN,
        "LOG_LEVEL": "trace",
        "HTTP_PORT": "0",
        **more,
    }


@pytest.mark.parametrize("role", ["coordinator", "shard", "worker"])
async def test_a_server_that_cannot_be_reached_is_named_without_its_password(role: str, tmp_path: Path) -> None:
    settings = environment(
        tmp_path,
        DATABASE_URL=f"postgresql://me:{PASSWORD}@127.0.0.1:1/db",
        REDIS_URL=f"redis://me:{PASSWORD}@127.0.0.1:1/0",
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "markov_shard", role, env=settings,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode == 1
    assert "127.0.0.1:1" in said
    assert not any(secret in said for secret in SECRETS)


async def test_a_running_coordinator_shows_no_secret_anywhere(
    migrated_url: str, redis_url: str, tmp_path: Path
) -> None:
    """At level trace, with a REST address that refuses, so that everything is logged."""
    settings = environment(
        tmp_path, DATABASE_URL=migrated_url, REDIS_URL=redis_url, REST_URL="http://127.0.0.1:1/api/v10"
    )
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "markov_shard", "coordinator", env={**settings, "PROCESS_NAME": "c-1"},
            stdout=file, stderr=file,
        )  # fmt: skip
    try:
        shown = (
            [" ".join(Path(f"/proc/{process.pid}/cmdline").read_text().split("\0"))] if sys.platform == "linux" else []
        )
        url = await _url(redis_url)
        async with aiohttp.ClientSession() as session:
            for path in ("/", "/status.json", "/healthz", "/metrics", "/session", "/readyz"):
                async with session.get(url + path) as response:
                    shown.append(await response.text())
            async with session.post(f"{url}/session", json={"token": "wrong " + STATUS_TOKEN}) as response:
                shown.append(await response.text())
        while "Discord" not in log.read_text(encoding="utf-8"):
            await asyncio.sleep(0.1)
    finally:
        process.terminate()
        assert await process.wait() == 0
    shown.append(log.read_text(encoding="utf-8"))
    assert "a wrong token was given" in shown[-1]
    for secret in (DEMO_TOKEN, STATUS_TOKEN, base64.b64encode(STATUS_TOKEN.encode()).decode()):
        assert not any(secret in text for text in shown)


async def _url(redis_url: str) -> str:
    from markov_shard.shared.connect import connect_redis
    from markov_shard.shared.members import read_members

    redis = await connect_redis(redis_url)
    try:
        while True:
            for member in await read_members(redis):
                if member.url:
                    return member.url
            await asyncio.sleep(0.1)
    finally:
        await redis.aclose()
