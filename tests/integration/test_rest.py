"""What the coordinator asks of Discord, where the answer lacks what may be lacking."""

import pytest
from aiohttp import web
from pydantic import SecretStr

from markov_shard.rest import guild_count
from markov_shard.settings import Settings


@pytest.mark.parametrize(("answer", "count"), [({"id": "1", "approximate_guild_count": 1234}, 1234), ({"id": "1"}, 0)])
async def test_the_number_of_guilds_is_read_where_it_is_given(answer: dict[str, object], count: int) -> None:
    async def application(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bot a.b.c"
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/api/v10/applications/@me", application)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        settings = Settings(token=SecretStr("a.b.c"), rest_url=f"http://{host}:{port}/api/v10")
        assert await guild_count(settings) == count
    finally:
        await runner.cleanup()
