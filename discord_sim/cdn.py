"""Attachments: the bytes, their signed addresses that expire after a day, and new signatures for old addresses."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import struct
from collections.abc import Callable
from urllib.parse import quote, unquote, urlsplit

from aiohttp import web

from discord_sim.ids import parse_snowflake
from discord_sim.state import Attachment, World

LIFETIME_SECONDS = 24 * 60 * 60
_PNG = b"\x89PNG\r\n\x1a\n"


class Cdn:
    """Keeps files by attachment ID. The signature is of the path and its times, as `ex`, `is` (hex) and `hm`."""

    def __init__(self, world: World, public_url: Callable[[], str], secret: bytes) -> None:
        self._world = world
        self._public_url = public_url
        self._secret = secret
        self._files: dict[int, tuple[Attachment, bytes]] = {}

    def store(
        self,
        channel_id: int,
        filename: str,
        data: bytes,
        *,
        content_type: str | None = None,
        description: str | None = None,
        ephemeral: bool = False,
    ) -> Attachment:
        guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        if content_type in {None, "", "application/octet-stream"}:
            content_type = guessed
        assert content_type is not None
        if content_type.startswith("text/") or content_type == "application/json":
            content_type = content_type.partition(";")[0] + "; charset=utf-8"
        width, height = _png_size(data)
        attachment = Attachment(
            self._world.ids.next(),
            channel_id,
            _safe(filename),
            len(data),
            content_type,
            description,
            width,
            height,
            ephemeral,
        )
        self._files[attachment.id] = (attachment, data)
        return attachment

    def url(self, of: Attachment) -> str:
        return self._public_url() + self._sign(f"/attachments/{of.channel_id}/{of.id}/{quote(of.filename)}")

    def refresh(self, url: str) -> str | None:
        """The same file's address with a new signature, or None where the address is of no file here."""
        path = urlsplit(url).path
        parts = path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "attachments":
            return None
        found = self._find(parts[1], parts[2], unquote(parts[3]))
        return None if found is None else self.url(found[0])

    async def handle(self, request: web.Request) -> web.Response:
        match = request.match_info
        found = self._find(match["channel"], match["attachment"], match["filename"])
        if found is None or not self._is_valid(request):
            return web.Response(status=404, text="This content is no longer available.")
        attachment, data = found
        mime, _, charset = attachment.content_type.partition("; charset=")
        return web.Response(
            body=data,
            content_type=mime,
            charset=charset or None,
            headers={"Cache-Control": "public, max-age=86400", "Access-Control-Allow-Origin": "*"},
        )

    def _find(self, channel: str, attachment: str, filename: str) -> tuple[Attachment, bytes] | None:
        found = self._files.get(parse_snowflake(attachment) or 0)
        if found is None or str(found[0].channel_id) != channel or found[0].filename != filename:
            return None
        return found

    def _sign(self, path: str) -> str:
        now = int(self._world.clock.wall())
        expires, issued = f"{now + LIFETIME_SECONDS:x}", f"{now:x}"
        return f"{path}?ex={expires}&is={issued}&hm={self._signature(path, expires, issued)}&"

    def _signature(self, path: str, expires: str, issued: str) -> str:
        return hmac.new(self._secret, f"{unquote(path)}|{expires}|{issued}".encode(), hashlib.sha256).hexdigest()

    def _is_valid(self, request: web.Request) -> bool:
        expires, issued = request.query.get("ex", ""), request.query.get("is", "")
        expected = self._signature(request.path, expires, issued)
        if not hmac.compare_digest(expected.encode(), request.query.get("hm", "").encode()):
            return False
        return int(expires, 16) > self._world.clock.wall()


def _safe(filename: str) -> str:
    """Discord keeps letters, digits, dots, dashes and underscores, and turns spaces into underscores."""
    kept = "".join(c if c.isalnum() or c in "._-" else "_" if c == " " else "" for c in filename)
    return kept.strip(".") or "unknown"


def _png_size(data: bytes) -> tuple[int | None, int | None]:
    if data[:8] != _PNG or len(data) < 24:
        return None, None
    width, height = struct.unpack(">II", data[16:24])
    return width, height
