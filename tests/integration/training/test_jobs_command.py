"""`markov-shard jobs` as an operator meets it: a dead letter is read, understood, mended and tried again."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from aiohttp import web

from markov_shard.runtime import Runtime
from markov_shard.shared import keys, queue
from markov_shard.shared.queue import JobQueue
from markov_shard.store.messages import count_messages
from markov_shard.training.worker import Worker
from tests.fleet.processes import Fleet
from tests.fleet.servers import serving
from tests.integration.training.jobs import GUILD, finished, train

Result = tuple[int, str, str]
Jobs = Callable[..., Awaitable[Result]]


@pytest.fixture
def jobs(command_line: Fleet) -> Jobs:
    """Runs `markov-shard jobs …`: status, standard output, standard error."""
    return partial(command_line.command, "jobs")


class Cdn:
    """A server that is broken until it is mended."""

    broken = True

    async def answer(self, request: web.Request) -> web.Response:
        if self.broken:
            raise web.HTTPBadGateway
        return web.json_response(["hello there", 5, "hello again"])


@pytest.fixture
async def cdn() -> AsyncIterator[tuple[Cdn, str]]:
    """The server and its URL."""
    made, app = Cdn(), web.Application()
    app.router.add_get("/{name}", made.answer)
    async with serving(app) as url:
        yield made, url


@pytest.fixture
def files(cdn: tuple[Cdn, str]) -> str:
    """In the place of the server of attachments that always works."""
    return cdn[1]


async def test_a_dead_letter_is_read_understood_and_retried(
    runtime: Runtime, cdn: tuple[Cdn, str], jobs: Jobs, monkeypatch: pytest.MonkeyPatch, working: Worker
) -> None:
    monkeypatch.setattr(queue, "RECLAIM_MS", 1)
    server, url = cdn
    job_id = await train(runtime, f"{url}/chat.json")
    assert (await finished(runtime, job_id)).state == "dead"
    while await JobQueue(runtime.redis, "test").dead() != 1:
        await asyncio.sleep(0.01)

    # Read.
    status, out, error = await jobs("list", "--dead")
    assert (status, error) == (0, "")
    (line,) = out.splitlines()
    assert f"imports: job {job_id} of guild {GUILD}: 502" in line
    assert line.endswith(f"`markov-shard jobs retry {job_id}` tries it again")
    status, out, _ = await jobs("list", "--dead", "--json")
    (letter,) = json.loads(out)["dead"]
    assert (letter["job_id"], letter["guild_id"], letter["lane"]) == (str(job_id), str(GUILD), "imports")

    # Understood.
    status, out, _ = await jobs("show", str(job_id))
    assert f"job {job_id}: import for guild {GUILD}, dead" in out
    assert "what went wrong: 502" in out
    assert "Bad Gateway" in out
    assert url in out

    # Retried.
    server.broken = False
    status, out, error = await jobs("retry", str(job_id), "--json")
    assert (status, error) == (0, "")
    assert json.loads(out)["jobs"][0]["state"] in ("queued", "running", "done")
    job = await finished(runtime, job_id)
    assert (job.state, job.messages, job.skipped, job.error) == ("done", 2, 1, None)
    async with runtime.database.connection() as connection:
        assert await count_messages(connection, GUILD, 1) == 2
    assert (await jobs("list", "--dead"))[1] == "no dead letters\n"
    status, out, _ = await jobs("show", str(job_id))
    assert "done" in out.splitlines()[0]
    assert "left out: chat.json, entry 2: is of type int, not a string or an object" in out
    assert "went wrong" not in out

    # What cannot be retried says so in one line.
    assert await jobs("retry", str(job_id)) == (
        1,
        "",
        f"markov-shard: job {job_id} is done: only dead, failed and cancelled jobs can be retried\n",
    )


async def test_a_reference_that_nobody_can_read_is_a_dead_letter_in_words(
    runtime: Runtime, jobs: Jobs, working: Worker
) -> None:
    import msgpack

    content = msgpack.packb({"v": 9, "guild": GUILD, "job": 1})
    await runtime.redis.xadd(keys.job_stream("upkeep"), {"job": content})
    while await JobQueue(runtime.redis, "test").dead() != 1:
        await asyncio.sleep(0.01)
    status, out, _ = await jobs("list", "--dead")
    assert status == 0
    assert "upkeep: a reference of version 9, not 1; its job, if there is one, is queued again by itself" in out


@pytest.mark.parametrize("command", ["show", "cancel", "retry"])
async def test_a_job_that_there_is_not_is_told_in_one_line(jobs: Jobs, runtime: Runtime, command: str) -> None:
    assert await jobs(command, "12345") == (1, "", "markov-shard: there is no job 12345\n")
