"""`markov-shard forget` and `purge`, as an operator runs them beside a bot that answers."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.bot.harness import Bot, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = ("the cat sat on the mat", "the dog sat on the log", "the cat ran to the dog", "a dog ran on the mat")
SECRET = ("xyzzy plugh frobnicates nightly", "xyzzy plugh frobnicates daily now")


async def run(bot: Bot, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error; there is no terminal."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "DATABASE_URL": bot.runtime.urls.database,
        "REDIS_URL": bot.runtime.urls.redis,
        "DATA_DIR": str(bot.runtime.settings.data_dir),
        "CONFIG_DIR": str(bot.runtime.settings.data_dir),
        "CHAIN_SAVE_DEBOUNCE_MS": "1000",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "markov_shard", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode(), error.decode()


async def taught(bot: Bot) -> Server:
    server = bot.guild()
    await server.listening()
    await server.learned(*LINES, user="aiko")
    await server.learned(*SECRET, user="jonas")
    await server.use("mark", by="aiko")
    return server


async def no_longer_said(server: Server) -> None:
    """Waits until the owner of the guild has heard of it."""
    async with asyncio.timeout(20):
        while "xyzzy" in (await server.use("mark", by="aiko", seed="xyzzy")).text:
            await asyncio.sleep(0.01)


async def test_a_person_is_forgotten_in_every_guild(bot: Bot) -> None:
    first, second = await taught(bot), await taught(bot)
    user = str(first.user("jonas").id)
    assert second.user("jonas").id == first.user("jonas").id
    status, out, error = await run(bot, "forget", user, "--yes", "--json")
    assert status == 0, error
    assert json.loads(out) == {"messages": 4, "guilds": {str(first.id): 2, str(second.id): 2}}
    for server in (first, second):
        assert not await server.rows(author_id=int(user))
        assert len(await server.rows()) == len(LINES)
        await no_longer_said(server)
    await first.learned("hello again", user="jonas")
    assert await first.rows(author_id=int(user)), "without --opt-out they are learned on"


async def test_a_person_is_forgotten_in_one_guild_for_good(bot: Bot) -> None:
    first, second = await taught(bot), await taught(bot)
    user = str(first.user("jonas").id)
    status, out, error = await run(bot, "forget", user, "--guild", str(first.id), "--opt-out", "--yes")
    assert status == 0, error
    assert "2 messages removed, in 1 guild;" in out
    assert len(await second.rows(author_id=int(user))) == 2, "elsewhere nothing changes"
    await no_longer_said(first)
    sent = first.write("hello again", user="jonas")
    await first.learned("something later", user="aiko")
    assert not await first.rows(message_id=sent.id)


async def test_a_guild_is_purged(bot: Bot) -> None:
    server, other = await taught(bot), await taught(bot)
    status, out, error = await run(bot, "purge", str(server.id), "--yes", "--json")
    assert status == 0, error
    assert json.loads(out) == {"messages": len(LINES) + len(SECRET)}
    assert not await server.rows()
    assert len(await other.rows()) == len(LINES) + len(SECRET)
    async with asyncio.timeout(20):
        while "nothing to say yet" not in (await server.use("mark", by="aiko")).text:
            await asyncio.sleep(0.01)
    await server.learned("a fresh start")
    assert "from:\n- <#" in (await server.use("listen list")).text, "its settings stay"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("forget", "5"), "without a terminal to ask on, --yes is needed"),
        (("purge", "12x", "--yes"), "'12x' is not a Discord ID"),
    ],
)
async def test_wrong_usage_changes_nothing(bot: Bot, arguments: tuple[str, ...], message: str) -> None:
    status, out, error = await run(bot, *arguments)
    assert (status, out) == (2, "")
    assert message in error
