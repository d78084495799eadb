"""The status page and its data, served beside the health endpoints; signed in, also what it may change."""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from coordinator.access import SESSION_SECONDS, Access, Session, TooManyAttemptsError
from coordinator.watch import FleetWatch
from markov_shard.errors import MarkovShardError
from markov_shard.logs import get_logger

_log = get_logger(__name__)

_FOLDER = Path(__file__).with_name("page")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_COOKIE = "markov_session"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_BODY_BYTES = 16 << 10

Act = Callable[[Mapping[str, Any]], Awaitable[str]]
"""Does what a signed-in operator asked for; returns what was done, in words. Raises MarkovShardError."""


class StatusPage:
    """`acts` are the changes that may be made, by name; each is a POST to `/act/{name}` with a JSON object."""

    def __init__(self, watch: FleetWatch, access: Access, acts: Mapping[str, Act]) -> None:
        self._watch = watch
        self._access = access
        self._acts = acts
        self._packed: tuple[object, bytes] = (None, b"")

    def routes(self) -> list[web.RouteDef]:
        """Everything the page needs; nothing of it comes from elsewhere."""
        return [
            web.get("/", self._page),
            web.get("/page/{name}", self._page),
            web.get("/status.json", self._status),
            web.get("/session", self._session),
            web.post("/session", self._sign_in),
            web.delete("/session", self._sign_out),
            web.post("/act/{name}", self._act),
        ]

    async def _page(self, request: web.Request) -> web.Response:
        path = _FOLDER / request.match_info.get("name", "index.html")
        if path.parent != _FOLDER or path.suffix not in _TYPES or not path.is_file():
            raise web.HTTPNotFound
        text = path.read_text(encoding="utf-8")
        return web.Response(text=text, content_type=_TYPES[path.suffix], headers=_HEADERS)

    async def _status(self, request: web.Request) -> web.Response:
        watch = self._watch
        status = 200 if watch.trouble is None else 503
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return _json(self._watch.document, status)
        seen = (watch.seen_at, watch.trouble)
        if self._packed[0] != seen:  # once a look, however many watch
            self._packed = (seen, gzip.compress(orjson.dumps(watch.document), 5))
        headers = {**_HEADERS, "Content-Encoding": "gzip"}
        return web.Response(body=self._packed[1], content_type="application/json", status=status, headers=headers)

    # --- signing in ------------------------------------------------------------------------------------------

    async def _session(self, request: web.Request) -> web.Response:
        return self._told(self._access.session(request.cookies.get(_COOKIE)))

    def _told(self, session: Session | None) -> web.Response:
        acts = sorted(self._acts) if self._access.possible else []
        return _json({"possible": bool(acts), "acts": acts, "csrf": session.csrf if session else None})

    async def _sign_in(self, request: web.Request) -> web.Response:
        body = await _body(request)
        try:
            session = self._access.sign_in(str(body.get("token", "")))
        except TooManyAttemptsError:
            return _refused(429, "too many wrong tokens; try again in a minute")
        if session is None:
            _log.warning("a wrong token was given on the status page", address=request.remote)
            return _refused(403, "this is not the token (STATUS_TOKEN)")
        _log.info("signed in on the status page", address=request.remote)
        response = self._told(session)
        encrypted = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        response.set_cookie(
            _COOKIE, session.key, max_age=SESSION_SECONDS, httponly=True, samesite="Strict", secure=encrypted
        )
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        self._access.sign_out(request.cookies.get(_COOKIE))
        response = self._told(None)
        response.del_cookie(_COOKIE)
        return response

    # --- changes ---------------------------------------------------------------------------------------------

    async def _act(self, request: web.Request) -> web.Response:
        if not self._access.may_change(request.cookies.get(_COOKIE), request.headers.get("X-CSRF-Token")):
            return _refused(403, "sign in first")
        act = self._acts.get(request.match_info["name"])
        if act is None:
            return _refused(404, "there is no such change")
        body = await _body(request)
        try:
            done = await act(body)
        except MarkovShardError as error:
            return _refused(409, str(error))
        _log.info("changed on the status page", act=request.match_info["name"], done=done, address=request.remote)
        return _json({"done": done})


async def _body(request: web.Request) -> Mapping[str, Any]:
    """The request's JSON object; a form of another site cannot send one, nor from another origin."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="another site's request\n")
    if request.content_type != "application/json" or (request.content_length or 0) > _BODY_BYTES:
        raise web.HTTPUnsupportedMediaType
    try:
        body = orjson.loads(await request.content.read(_BODY_BYTES))
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="a JSON object is needed\n")
    return body


def _json(document: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status, headers=_HEADERS)


def _refused(status: int, message: str) -> web.Response:
    return _json({"message": message}, status)
