"""REST requests written by hand: what a library would not send."""

from typing import Any, Self

import aiohttp


class Answer:
    """Status, headers and JSON (None where there is none)."""

    def __init__(self, status: int, headers: Any, json: Any) -> None:
        self.status = status
        self.headers = headers
        self.json = json

    @property
    def code(self) -> int:
        """Discord's error code."""
        return int(self.json["code"])


class RestClient:
    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def __call__(
        self, method: str, path: str, json: object = None, *, token: str | None = None, **more: Any
    ) -> Answer:
        """One request; `token` "" sends none."""
        assert self._session is not None
        wanted = self._token if token is None else token
        headers = {"Authorization": f"Bot {wanted}"} if wanted else {}
        if json is not None:
            more["json"] = json
        async with self._session.request(method, self._base_url + path, headers=headers, **more) as response:
            body = await response.read()
            document = await response.json() if body and response.content_type == "application/json" else None
            return Answer(response.status, response.headers, document)
