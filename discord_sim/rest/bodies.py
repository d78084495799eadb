"""Request bodies: JSON, or multipart with `payload_json` and files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import BodyPartReader, web

from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import Json

_FILE = re.compile(r"files?\[?(?P<index>\d*)\]?")


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file."""

    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """A body's JSON, and its files by the index in their field's name."""

    json: Any
    files: dict[int, File] = field(default_factory=dict)

    @property
    def object(self) -> Json:
        """Raises ApiError unless the JSON is an object."""
        if not isinstance(self.json, dict):
            raise ApiError(Code.INVALID_JSON)
        return self.json


_FORM = web.RequestKey("form", Body)


async def read_body(request: web.Request) -> Body:
    """The body of a request; an empty one is an empty object. Raises ApiError."""
    if request.content_type.startswith("multipart/"):
        request[_FORM] = form = await _multipart(request)
        return form
    return Body(_decoded(await request.read()))


def form_of(request: web.Request) -> Body | None:
    """The form that a request was, once it was read: unlike JSON it cannot be read again."""
    return request.get(_FORM)


async def _multipart(request: web.Request) -> Body:
    json: Any = {}
    files: dict[int, File] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise ApiError(Code.INVALID_JSON)
        data = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            json = _decoded(data)
        elif match := _FILE.fullmatch(part.name or ""):
            index = int(match["index"] or len(files))
            files[index] = File(part.filename or "unknown", part.headers.get("Content-Type", ""), data)
    return Body(json, files)


def _decoded(data: bytes) -> Any:
    try:
        return orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        raise ApiError(Code.INVALID_JSON) from None
