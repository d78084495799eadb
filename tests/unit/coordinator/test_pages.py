"""The status page's requests over real HTTP: who may look, who may change, and what others' sites can do."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from coordinator.access import Access, TooManyAttemptsError
from coordinator.pages import StatusPage
from coordinator.watch import FleetWatch
from markov_shard.errors import JobError
from markov_shard.health import Health, serve_health

TOKEN = "the token of this test"


async def ask() -> dict[str, Any]:
    redis = {"used": 1, "limit": 0, "evicted": 0, "hits": 0, "misses": 0}
    queue: dict[str, Any] = {"lanes": {}, "dead": 0, "jobs": None}
    return {"leader": None, "why": "", "processes": [], "shards": [], "queue": queue, "caches": {"redis": redis}}


class Site:
    """A page with one change, `drain`."""

    def __init__(self, token: str | None, now: list[float]) -> None:
        self.done: list[Mapping[str, Any]] = []
        self.watch = FleetWatch(ask)
        self.access = Access(token, lambda: now[0])
        self.routes = StatusPage(self.watch, self.access, {"drain": self._drain}).routes()

    async def _drain(self, body: Mapping[str, Any]) -> str:
        if "process" not in body:
            raise JobError("which process?")
        self.done.append(body)
        return "draining"


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
async def site(now: list[float]) -> AsyncIterator[tuple[Site, str]]:
    made = Site(TOKEN, now)
    async with serve_health(Health("coordinator", "c"), "127.0.0.1", 0, routes=made.routes) as url:
        yield made, url


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def sign_in(browser: aiohttp.ClientSession, url: str, token: str = TOKEN) -> str:
    async with browser.post(f"{url}/session", json={"token": token}) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["csrf"])


async def test_anyone_may_look_and_nothing_is_loaded_from_elsewhere(
    site: tuple[Site, str], browser: aiohttp.ClientSession
) -> None:
    for path, kind in (("/", "text/html"), ("/page/main.js", "text/javascript"), ("/page/style.css", "text/css")):
        async with browser.get(site[1] + path) as response:
            assert (response.status, response.content_type) == (200, kind)
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert "http" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")
    for path in ("/page/..%2fpages.py", "/page/%2e%2e/pages.py", "/page/pages.py", "/page/"):
        async with browser.get(site[1] + path) as response:
            assert response.status == 404


async def test_the_document_is_503_until_the_fleet_is_seen_and_packed_where_wanted(
    site: tuple[Site, str], browser: aiohttp.ClientSession
) -> None:
    async with browser.get(f"{site[1]}/status.json") as response:
        assert response.status == 503
        assert "nobody has looked" in (await response.json())["trouble"]
    await site[0].watch.look()
    for encoding in ("gzip", "identity"):
        async with browser.get(f"{site[1]}/status.json", headers={"Accept-Encoding": encoding}) as response:
            assert response.status == 200
            assert (response.headers.get("Content-Encoding") == "gzip") is (encoding == "gzip")
            assert (await response.json())["shards"] == []


async def test_without_a_token_setting_nothing_can_be_changed(browser: aiohttp.ClientSession, now: list[float]) -> None:
    made = Site(None, now)
    async with serve_health(Health("coordinator", "c"), "127.0.0.1", 0, routes=made.routes) as url:
        async with browser.get(f"{url}/session") as response:
            assert await response.json() == {"possible": False, "acts": [], "csrf": None}
        for token in ("", "None", TOKEN):
            async with browser.post(f"{url}/session", json={"token": token}) as response:
                assert response.status == 403
        async with browser.post(f"{url}/act/drain", json={"process": "x"}) as response:
            assert response.status == 403
    assert made.done == []


async def test_a_change_needs_cookie_csrf_header_json_and_the_same_origin(
    site: tuple[Site, str], browser: aiohttp.ClientSession
) -> None:
    made, url = site
    csrf = await sign_in(browser, url)
    cookie = next(iter(browser.cookie_jar))
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    good = {"X-CSRF-Token": csrf}
    act, body = f"{url}/act/drain", {"process": "shard-1"}
    for refused, options in (
        (403, {"json": body}),
        (403, {"json": body, "headers": {"X-CSRF-Token": csrf[:-1]}}),
        (403, {"json": body, "headers": {**good, "Origin": "https://evil.example"}}),
        (403, {"json": body, "headers": {**good, "Origin": "null"}}),
        (415, {"data": body, "headers": good}),
        (415, {"data": '{"process": "x"}', "headers": {**good, "Content-Type": "text/plain"}}),
        (400, {"data": "[1]", "headers": {**good, "Content-Type": "application/json"}}),
        (400, {"data": "{", "headers": {**good, "Content-Type": "application/json"}}),
        (415, {"json": {"process": "x" * 20_000}, "headers": good}),
    ):
        async with browser.post(act, **options) as response:
            assert response.status == refused, (options, await response.text())
    async with aiohttp.ClientSession() as stranger, stranger.post(act, json=body, headers=good) as response:
        assert response.status == 403
    assert made.done == []
    async with browser.post(act, json=body, headers={**good, "Origin": url}) as response:
        assert await response.json() == {"done": "draining"}
    async with browser.post(act, json={}, headers=good) as response:
        assert (response.status, await response.json()) == (409, {"message": "which process?"})
    async with browser.post(f"{url}/act/other", json={}, headers=good) as response:
        assert response.status == 404
    assert made.done == [body]


async def test_sessions_end_by_signing_out_and_by_time(
    site: tuple[Site, str], browser: aiohttp.ClientSession, now: list[float]
) -> None:
    made, url = site
    for end in ("sign out", "time"):
        csrf = await sign_in(browser, url)
        if end == "sign out":
            await browser.delete(f"{url}/session")
        else:
            now[0] += 9 * 3600
        async with browser.post(f"{url}/act/drain", json={"process": "x"}, headers={"X-CSRF-Token": csrf}) as response:
            assert response.status == 403
    assert made.done == []


async def test_guessing_is_slowed_down(
    site: tuple[Site, str], browser: aiohttp.ClientSession, now: list[float]
) -> None:
    for _ in range(10):
        async with browser.post(f"{site[1]}/session", json={"token": "guess"}) as response:
            assert response.status == 403
    async with browser.post(f"{site[1]}/session", json={"token": TOKEN}) as response:
        assert response.status == 429
    now[0] += 61
    await sign_in(browser, site[1])


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr("coordinator.access.hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    access = Access(TOKEN)
    assert access.sign_in("ünïcode") is None
    session = access.sign_in(TOKEN)
    assert session is not None
    assert access.may_change(session.key, session.csrf)
    assert (TOKEN.encode(), TOKEN.encode()) in compared
    assert (session.csrf.encode(), session.csrf.encode()) in compared


def test_a_flood_of_guesses_is_an_error() -> None:
    access = Access(TOKEN, lambda: 5.0)
    for _ in range(10):
        access.sign_in("x")
    with pytest.raises(TooManyAttemptsError):
        access.sign_in(TOKEN)
