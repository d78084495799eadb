"""What a member sees, as it happens: a socket for each open page."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from aiohttp import WSMsgType, web

from discord_sim import permissions
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.ids import parse_snowflake
from discord_sim.state import World

_BACKLOG = 10_000


class LiveViews:
    """Hands each event to the members who may see it."""

    def __init__(self, world: World, dispatcher: Dispatcher) -> None:
        self._world = world
        self._views: defaultdict[int, set[asyncio.Queue[bytes | None]]] = defaultdict(set)
        dispatcher.add(self._receive)

    def _receive(self, dispatch: Dispatch) -> None:
        if not dispatch.live or not self._views:
            return
        frame: bytes | None = None
        for user_id, queues in self._views.items():
            if queues and self._may_see(user_id, dispatch):
                frame = frame or b'{"t":"%s","d":%s}' % (dispatch.t.encode(), dispatch.encoded)
                for queue in queues:
                    queue.put_nowait(frame if queue.qsize() < _BACKLOG else None)

    def _may_see(self, user_id: int, dispatch: Dispatch) -> bool:
        if dispatch.viewer is not None:
            return dispatch.viewer == user_id
        if dispatch.application is not None:
            return False
        if dispatch.guild is not None and user_id not in dispatch.guild.members:
            return False
        if dispatch.channel is None:
            return dispatch.guild is not None
        return bool(self._world.permissions(user_id, dispatch.channel) & permissions.VIEW_CHANNEL)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        user_id = parse_snowflake(request.query.get("user"))
        if user_id is None or user_id not in self._world.users:
            raise web.HTTPNotFound(reason="there is no such user")
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._views[user_id].add(queue)
        writer = asyncio.create_task(self._write(socket, queue))
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._views[user_id].discard(queue)
            writer.cancel()
        return socket

    async def _write(self, socket: web.WebSocketResponse, queue: asyncio.Queue[bytes | None]) -> None:
        """Writes frames in order; a page that cannot keep up is cut off and comes back by itself."""
        while (frame := await queue.get()) is not None:
            await socket.send_str(frame.decode())
        await socket.close()

    async def shutdown(self) -> None:
        for queues in self._views.values():
            for queue in queues:
                queue.put_nowait(None)
        await asyncio.sleep(0)
