"""What listens, what can be changed over it, and what the code may not contain."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from coordinator.access import Access
from coordinator.pages import StatusPage
from coordinator.watch import FleetWatch
from markov_shard.health import Health, serve_health
from markov_shard.settings import Settings
from markov_shard.shared import keys

ROOT = Path(__file__).parents[2]
SOURCES = [path for package in ("markov_shard", "coordinator") for path in sorted((ROOT / package).rglob("*.py"))]


async def nothing() -> dict[str, Any]:
    raise NotImplementedError


async def never(body: object) -> str:
    pytest.fail("something was changed without a session")


def test_everything_listens_on_loopback_unless_told_otherwise() -> None:
    assert Settings.model_fields["http_host"].default == "127.0.0.1"
    for path in SOURCES:
        assert "0.0.0.0" not in path.read_text(encoding="utf-8"), path


async def test_no_route_changes_anything_without_a_session() -> None:
    routes = StatusPage(FleetWatch(nothing), Access("a" * 20), {"drain": never, "set-flag": never}).routes()
    changing = [route for route in routes if route.method not in ("GET", "HEAD")]
    assert {route.path for route in changing} == {"/session", "/act/{name}"}
    async with serve_health(Health("c", "c"), "127.0.0.1", 0, routes=routes) as url, aiohttp.ClientSession() as client:
        for path in ("/livez", "/readyz", "/healthz", "/healthz/0", "/metrics", "/", "/status.json"):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                async with client.request(method, url + path, json={}) as response:
                    assert response.status == 405, (method, path)
        for path in ("/act/drain", "/act/set-flag"):
            for headers in ({}, {"X-CSRF-Token": ""}, {"Cookie": "markov_session=", "X-CSRF-Token": ""}):
                async with client.post(url + path, json={"process": "x"}, headers=headers) as response:
                    assert response.status == 403


async def test_a_request_body_cannot_exhaust_memory() -> None:
    routes = StatusPage(FleetWatch(nothing), Access("a" * 20), {}).routes()

    async def endless() -> Any:
        for _ in range(1000):
            yield b"x" * 1024

    async with serve_health(Health("c", "c"), "127.0.0.1", 0, routes=routes) as url, aiohttp.ClientSession() as client:
        headers = {"Content-Type": "application/json"}
        try:
            async with client.post(f"{url}/session", data=endless(), headers=headers) as response:
                assert response.status == 400
        except aiohttp.ClientError:
            pass  # it stopped listening to it


def test_nothing_unpickles_evaluates_or_goes_through_a_shell() -> None:
    forbidden = {"eval", "exec", "pickle.loads", "pickle.load", "marshal.loads", "os.system", "os.popen", "yaml.load"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in forbidden, f"{path}:{node.lineno}"
                shell = any(keyword.arg == "shell" for keyword in node.keywords)
                assert not shell, f"{path}:{node.lineno}"
                assert "create_subprocess_shell" not in ast.unparse(node.func), f"{path}:{node.lineno}"


def test_statements_are_made_of_constants() -> None:
    """What is put into an SQL text by the program is a constant's name; values are parameters."""
    for path in (ROOT / "markov_shard" / "store").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.JoinedStr) and re.search(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", ast.unparse(node))
            ):
                continue
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    text = ast.unparse(part.value)
                    constant = re.fullmatch(r"_?[A-Z][A-Z_0-9]*", text)
                    assert constant or text in ALLOWED, f"{path.name}:{node.lineno}: {text}"


ALLOWED = {"table", "where"}
"""Names that were looked at: each stands for a literal of the same function."""


@pytest.mark.parametrize("name", ["a b", "a\r\nFLUSHALL", "a}{b", "../x", "a:b", "x" * 65, "ä"])
def test_a_process_name_cannot_steer_redis_or_logs(name: str) -> None:
    pattern = next(m.pattern for m in Settings.model_fields["process_name"].metadata if hasattr(m, "pattern"))
    longest = next(m.max_length for m in Settings.model_fields["process_name"].metadata if hasattr(m, "max_length"))
    assert not (re.fullmatch(pattern, name) and len(name) <= longest)


def test_keys_of_one_atomic_step_lie_in_one_slot() -> None:
    coordination = (keys.member("x"), keys.members(), keys.leader(), keys.assignment(), keys.lease(4, 1))
    assert all("{fleet}" in key for key in coordination)


def test_every_dependency_is_pinned() -> None:
    pins = {
        re.sub(r"[-_.]+", "-", line.split("==")[0].split("[")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if re.match(r"[A-Za-z0-9][\w.\[\]-]*==\d", line)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[<>=\[; ]", requirement)[0]).lower() for requirement in wanted}
    assert names <= pins, names - pins


async def test_errors_tell_strangers_nothing_of_the_inside() -> None:
    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError("postgresql://markov:hunter2@db/markov")

    routes = [web.get("/broken", broken)]
    async with (
        serve_health(Health("c", "c"), "127.0.0.1", 0, routes=routes) as url,
        aiohttp.ClientSession() as client,
        client.get(f"{url}/broken") as response,
    ):
        text = await response.text()
    assert response.status == 500
    assert "hunter2" not in text
    assert "Traceback" not in text
