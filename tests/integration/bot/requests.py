"""Checks requests against Discord's published OpenAPI document, where it is at hand, and against its limits."""

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from discord_sim.journal import Journal

OPENAPI = Path(__file__).parents[4] / "shared" / "discord" / "openapi.json"
_ROOT = "urn:discord"


class RequestChecker:
    """Remembers what it has checked of each stand-in's log."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._answered: set[str] = set()
        self._routes: list[tuple[str, re.Pattern[str], str]] = []
        self._bodies: dict[str, Draft202012Validator] = {}
        self.checked = 0
        """Bodies that were compared with the document."""
        if OPENAPI.is_file():
            self._read(json.loads(OPENAPI.read_text(encoding="utf-8")))

    def _read(self, document: dict[str, Any]) -> None:
        registry = Registry().with_resource(_ROOT, Resource.from_contents(document, default_specification=DRAFT202012))
        for path, item in document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + "$")
            for method, operation in item.items():
                if not isinstance(operation, dict):
                    continue
                content = operation.get("requestBody", {}).get("content", {})
                key = f"{method.upper()} {path}"
                self._routes.append((method.upper(), pattern, key))
                if "application/json" in content:
                    place = f"#/paths/{_escaped(path)}/{method}/requestBody/content/application~1json/schema"
                    self._bodies[key] = Draft202012Validator({"$ref": _ROOT + place}, registry=registry)
        self._routes.sort(key=lambda route: route[1].pattern.count("[^/]+"))  # literal paths before patterns

    def check(self, journal: Journal) -> None:
        """Raises AssertionError for a request that Discord would refuse."""
        since = self._seen.get(id(journal), 0)
        for entry in journal.since(since, "rest"):
            self._seen[id(journal)] = entry["seq"]
            self._check(entry)

    def _check(self, entry: dict[str, Any]) -> None:
        path = entry["path"].removeprefix("/api/v10")
        body = entry.get("body")
        what = f"{entry['method']} {path}: {json.dumps(body)[:600]}"
        replayed = path in self._answered  # an interaction that Discord sent again, as after a lost connection
        assert entry["status"] not in (400, 401, 413) or replayed, f"the stand-in refused {what}"
        if path.endswith("/callback"):
            self._answered.add(path)
        if body is None:
            return
        _limits(body, what)
        key = next(
            (k for method, pattern, k in self._routes if method == entry["method"] and pattern.match(path)), None
        )
        if key is None or key not in self._bodies:
            return
        error = next(iter(self._bodies[key].iter_errors(body)), None)
        assert error is None, f"{what}\n{error.json_path}: {error.message[:500]}"
        self.checked += 1


def _escaped(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _limits(body: Any, what: str) -> None:
    """Discord's documented lengths and counts, wherever in a body they apply."""
    if isinstance(body, list):
        for part in body:
            _limits(part, what)
    if not isinstance(body, dict):
        return
    if "content" in body and body["content"] is not None:
        assert len(body["content"]) <= 2000, what
    assert len(str(body.get("custom_id") or "")) <= 100, what
    assert len(body.get("options") or ()) <= 25, what
    assert len(body.get("components") or ()) <= 5, what
    assert len(str(body.get("nonce") or "")) <= 25, what
    embeds = body.get("embeds") or []
    assert len(embeds) <= 10, what
    assert sum(map(_embed_size, embeds)) <= 6000, what
    for embed in embeds:
        assert len(embed.get("title") or "") <= 256, what
        assert len(embed.get("description") or "") <= 4096, what
        assert len(embed.get("fields") or ()) <= 25, what
        for part in embed.get("fields") or ():
            assert 1 <= len(part["name"]) <= 256, what
            assert 1 <= len(part["value"]) <= 1024, what
    if embeds or "content" in body:
        assert body.get("allowed_mentions") is not None or not body.get("content"), f"mentions are not disabled: {what}"
    for value in body.values():
        _limits(value, what)


def _embed_size(embed: dict[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    texts += [part[key] for part in embed.get("fields") or () for key in ("name", "value")]
    return sum(len(text or "") for text in texts)
