"""The whole stand-in, served: its parts behind one gateway, one REST API, one CDN, one control API and the page."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from discord_sim.control.routes import control_routes
from discord_sim.parts import Parts
from discord_sim.rest.app import rest_middleware
from discord_sim.rest.routes import rest_routes

PAGE = Path(__file__).with_name("page")
MAX_BODY = 64 << 20


class DiscordSim(Parts):
    """A stand-in that can be served."""

    def app(self) -> web.Application:
        """The web application; `public_url` must be set before clients ask for it."""
        app = web.Application(middlewares=[rest_middleware(self)], client_max_size=MAX_BODY)
        app.add_routes(rest_routes(self))
        app.add_routes(control_routes(self))
        app.add_routes(
            [
                web.get("/gateway", self.gateway.handle),
                web.get("/gateway/", self.gateway.handle),
                web.get("/attachments/{channel}/{attachment}/{filename}", self.cdn.handle),
                web.get("/", _index),
            ]
        )
        if PAGE.is_dir():
            app.router.add_static("/page", PAGE)
        app.on_shutdown.append(self._on_shutdown)
        return app

    async def _on_shutdown(self, app: web.Application) -> None:
        await self.replays.stop()
        await self.live.shutdown()
        await self.gateway.shutdown()

    @contextlib.asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serves while the block runs; gives the base URL. Raises OSError when the port is in use."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            url = f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}"
            self.public_url = self.public_url or url
            yield url
        finally:
            await runner.cleanup()


async def _index(request: web.Request) -> web.StreamResponse:
    page = PAGE / "index.html"
    return web.FileResponse(page) if page.is_file() else web.Response(text="The chat page is not installed.\n")
