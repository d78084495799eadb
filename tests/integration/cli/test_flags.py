"""`markov-shard flags` as an operator runs it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from markov_shard.flags import first_rollouts
from markov_shard.settings import Settings
from markov_shard.shared.flags import LiveFlags

Result = tuple[int, str, str]


@pytest.fixture
def flags(migrated_url: str, redis_url: str, tmp_path: Path) -> Any:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "DATABASE_URL": migrated_url,
        "REDIS_URL": redis_url,
        "CONFIG_DIR": str(tmp_path),
    }

    async def run(*arguments: str) -> Result:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "markov_shard", "flags", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        return process.returncode or 0, out.decode(), error.decode()

    return run


async def test_a_flag_is_set_forced_and_shown(flags: Any, redis_client: Redis) -> None:
    assert (await flags("set", "markov_store", "12.34", "--by", "ann"))[0] == 0
    assert (await flags("force", "markov_store", "7", "8"))[0] == 0
    status, out, _ = await flags("unforce", "markov_store", "8", "--json")
    assert status == 0
    document = json.loads(out)
    assert document["flags"][0] == {"flag": "markov_store", "percentage": 12.34, "forced_guilds": ["7"]}
    live = LiveFlags(redis_client, first_rollouts(Settings()))
    await live.refresh()
    assert live.is_on("markov_store", 7)
    assert live.change == document["change"]
    _, out, _ = await flags("show", "--json")
    history = json.loads(out)["history"]
    assert [entry["forced_guilds"] for entry in history[:3]] == [["7"], ["7", "8"], []]
    assert history[2]["changed_by"] == "ann"
    assert "@" in history[0]["changed_by"]
    assert {entry["percentage"] for entry in history[:3]} == {12.34}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "markov_store", "100.5"), "'100.5' is not a percentage"),
        (("set", "markov_store", "0.001"), "'0.001' is not a percentage"),
        (("set", "warp_drive", "5"), "'warp_drive' is not one of"),
        (("force", "worker_pool", "mine"), "'mine' is not a Discord ID"),
        (("force", "worker_pool"), "Missing argument"),
    ],
)
async def test_wrong_usage_is_status_2(flags: Any, arguments: tuple[str, ...], message: str) -> None:
    status, out, error = await flags(*arguments)
    assert (status, out) == (2, "")
    assert message in error
