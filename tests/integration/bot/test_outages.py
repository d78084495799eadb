"""What members see while Postgres or Redis is away: words within three seconds, and everything afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from discord_sim import DEMO_BOT_ID
from markov_shard.store.migrate import migrate
from tests.fleet.servers import OwnServers, own_servers
from tests.integration.bot.harness import Bot, Server, running_bot, until
from tests.integration.bot.requests import RequestChecker

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

LINES = ("the cat sat on the mat", "the dog sat on the log", "the cat ran to the dog", "a dog ran on the mat")
ME = f"<@{DEMO_BOT_ID}>"
KNOWN = {*" ".join(LINES).split(), ME}
"""The words that may be answered with: a mention is learned with the message it is in."""
AWAY = "My memory is out of reach right now"


class Stage(NamedTuple):
    servers: OwnServers
    bot: Bot


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, checker: RequestChecker) -> AsyncIterator[Stage]:
    """A bot with servers of its own."""
    folder: Path = tmp_path_factory.mktemp("outages")
    async with own_servers() as servers:
        await migrate(servers.database_url)
        async with running_bot(servers.database_url, servers.redis_url, folder) as bot:
            yield Stage(servers, bot)
            checker.check(bot.sim.journal)


async def taught(bot: Bot) -> Server:
    server = bot.guild("general", "council")
    await server.listening("general")
    await server.learned(*LINES)
    await server.use("mark")
    return server


async def test_while_postgres_is_away_known_guilds_are_answered_and_the_rest_is_refused_in_words(stage: Stage) -> None:
    bot = stage.bot
    server, cold = await taught(bot), bot.guild()
    menu = (await server.use("listen modify", by="mira")).message
    asked = (await server.use("forget server", by="mira")).message
    await cold.listening()
    async with stage.servers.without_postgres():
        assert set((await server.use("mark")).text.split()) <= KNOWN, "a chain in memory needs no database"
        assert set((await server.reply_to(server.write(f"{ME} the cat"))).content.split()) <= KNOWN
        learned = server.write("a bird sat on the log")
        assert AWAY in (await cold.use("mark")).text
        assert AWAY in (await cold.reply_to(cold.write(f"{ME} hello"))).content
        mira = {"by": "mira"}
        seen = [
            await server.use("listen add", **mira, **server.channels("council")),
            await server.use("autorespond chance", **mira, percent=5.0),
            await server.use("train", **mira),
            await server.use("train-status"),
            await server.use("train-cancel", **mira),
            await server.use("stats"),
            await server.use("mark", user=server.user("jonas").id),
            await server.use("forget me"),
            await server.use("forget export"),
            await server.press(menu, menu.components[0]["components"][0]["custom_id"], values=[]),
            await server.press(asked, asked.components[0]["components"][0]["custom_id"]),
        ]
        for answer in seen:
            told = answer.text + "".join(message.content for message in answer.more)
            assert AWAY in told
            assert "Postgres" not in told, "where it runs is nobody's business"
        assert AWAY in (await server.reply_to(server.write("!mark train", user="mira"))).content
        assert "from:\n- <#" in (await server.use("listen list")).text, "nothing is half-applied"
    await server.stored(learned)
    assert len(await server.rows()) == len(LINES) + 2, "and nothing was forgotten"
    assert not (await server.use("listen add", by="mira", **server.channels("council"))).private


async def test_while_redis_is_away_members_notice_nothing_but_that_jobs_wait(stage: Stage) -> None:
    bot = stage.bot
    server = await taught(bot)
    async with stage.servers.without_redis():
        assert set((await server.use("mark")).text.split()) <= KNOWN
        assert set((await server.reply_to(server.write(f"{ME} the cat"))).content.split()) <= KNOWN
        assert not (await server.use("listen add", by="mira", **server.channels("council"))).private
        await server.learned("a bird sat on the log")
        trained = await server.use("train", by="mira")
        assert "Job" in trained.text or trained.message.embeds
        assert "6 messages of yours removed" in (await server.use("forget me")).text
        assert not await server.rows()
        cold = bot.guild()
        await cold.listening()
        await cold.learned(*LINES)
        assert set((await cold.use("mark")).text.split()) <= KNOWN


async def test_it_is_whole_again_afterwards(stage: Stage) -> None:
    server = await taught(stage.bot)
    async with stage.servers.without_postgres(), stage.servers.without_redis():
        assert set((await server.use("mark")).text.split()) <= KNOWN
        assert AWAY in (await server.use("forget me")).text
    async with asyncio.timeout(30):
        while AWAY in (await server.use("forget me")).text:
            await asyncio.sleep(0.05)
    assert not await server.rows()
    await until(lambda: not stage.bot.service.learner.trouble)
