"""The status page and its data, served beside the health endpoints."""

from pathlib import Path

import orjson
from aiohttp import web

from coordinator.status import fleet_status
from markov_shard.errors import MarkovShardError
from markov_shard.runtime import Runtime

_FOLDER = Path(__file__).with_name("page")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def status_routes(runtime: Runtime) -> list[web.RouteDef]:
    """`/`, `/page/…` and `/status.json`."""

    async def status(request: web.Request) -> web.Response:
        try:
            document, code = await fleet_status(runtime), 200
        except MarkovShardError as error:
            document, code = {"message": str(error)}, 503
        return web.Response(body=orjson.dumps(document), content_type="application/json", status=code)

    async def page(request: web.Request) -> web.Response:
        path = _FOLDER / request.match_info.get("name", "index.html")
        if path.parent != _FOLDER or path.suffix not in _TYPES or not path.is_file():
            raise web.HTTPNotFound
        return web.Response(text=path.read_text(encoding="utf-8"), content_type=_TYPES[path.suffix])

    return [web.get("/", page), web.get("/page/{name}", page), web.get("/status.json", status)]
