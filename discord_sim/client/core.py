"""The connection to a stand-in, and how its client waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from discord_sim.state import Json

_POLL_SECONDS = 0.02
_Found = TypeVar("_Found")


class ControlError(Exception):
    """The stand-in refused a request; says why."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Connected:
    """`async with` opens and closes it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(self, method: str, path: str, body: object = None, files: Sequence[tuple[str, bytes]] = ()) -> Any:
        """One request below `/sim/`; its JSON answer, None for an empty one."""
        assert self._session is not None
        options: dict[str, Any] = {} if body is None else {"json": body}
        if files:
            form = aiohttp.FormData()
            form.add_field("payload_json", json.dumps(body), content_type="application/json")
            for index, (name, data) in enumerate(files):
                form.add_field(f"files[{index}]", data, filename=name)
            options = {"data": form}
        async with self._session.request(method, f"{self.base_url}/sim/{path}", **options) as response:
            if response.status == 204:
                return None
            document = await response.json(content_type=None)
            if response.status >= 400:
                raise ControlError(f"{method} {path}: {document.get('message')}", response.status)
            return document


async def until(ask: Callable[[], Awaitable[_Found | None]], seconds: float) -> _Found:
    """Asks again and again until the answer is not None. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while (found := await ask()) is None:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
    return found


def as_object(document: Any) -> Json:
    assert isinstance(document, dict)
    return document


def as_list(document: Any) -> list[Json]:
    assert isinstance(document, list)
    return document
