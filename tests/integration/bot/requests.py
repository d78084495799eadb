"""Checks requests against Discord's published OpenAPI document, where it is at hand, and against its limits."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from discord_sim.journal import Journal
from discord_sim.rest.contract import Contract
from tests.standin import discord_document

_ROOT = "urn:discord"
_API = "/api/v10"
_UNDOCUMENTED = frozenset({"POST /attachments/refresh-urls"})
"""Routes that Discord has and its document lacks."""

Json = Mapping[str, Any]


class RequestChecker:
    """Remembers what it has checked of each stand-in's log."""

    def __init__(self) -> None:
        self._seen: WeakKeyDictionary[Journal, int] = WeakKeyDictionary()
        self._answered: set[str] = set()
        self._contract = discord_document()
        self._validator = cache(self._make_validator)
        self.checked = 0
        """Bodies that were compared with the document."""

    def check(self, journal: Journal) -> None:
        """Raises AssertionError for a request that Discord would refuse."""
        for entry in journal.since(self._seen.get(journal, 0), "rest"):
            self._seen[journal] = entry["seq"]
            self.check_request(entry)

    def check_request(self, entry: Json) -> None:
        """The same for one request of a log."""
        path: str = entry["path"]
        assert path.startswith(_API), f"not of this version: {path}"
        path, body = path.removeprefix(_API), entry.get("body")
        what = f"{entry['method']} {path}: {json.dumps(body)[:600]}"
        replayed = path in self._answered  # an interaction that Discord sent again, as after a lost connection
        accepted = entry["status"] not in (400, 401, 405, 413)
        assert accepted or replayed or entry.get("fault"), f"the stand-in refused {what}"
        if path.endswith("/callback"):
            self._answered.add(path)
        wrong = next(limits(body), None)
        assert wrong is None, f"{wrong}: {what}"
        assert sum(file["bytes"] for file in entry.get("files", ())) <= 10 << 20, f"files too large: {what}"
        assert len(entry.get("files", ())) <= 10, f"too many files: {what}"
        if self._contract is not None:
            self._compare(self._contract, entry["method"], path, entry, what)

    def _compare(self, contract: Contract, method: str, path: str, entry: Json, what: str) -> None:
        route, body = contract.route(path), entry.get("body")
        operation = contract.document["paths"].get(route, {}).get(method.lower())
        if operation is None:
            assert f"{method} {path}" in _UNDOCUMENTED, f"Discord's document has no such route: {what}"
            return
        known = {p["name"]: p["schema"] for p in operation.get("parameters", ()) if p["in"] == "query"}
        for name, value in entry.get("query", {}).items():
            assert name in known, f"no parameter {name!r}: {what}"
            read = json.loads(value) if known[name].get("type") in ("integer", "boolean", "number") else value
            self._fits(json.dumps(known[name]), read, f"{name}={value}: {what}")
        wanted = operation.get("requestBody", {})
        schema = wanted.get("content", {}).get("application/json", {}).get("schema")
        if body is None:
            assert not (schema and wanted.get("required")) or entry.get("fault"), f"no body was seen: {what}"
        elif schema is not None:
            self._fits(json.dumps(schema), body, what)
            self.checked += 1

    def _fits(self, schema: str, value: object, what: str) -> None:
        error = next(self._validator(schema).iter_errors(value), None)
        assert error is None, f"{what}\n{error.json_path}: {error.message[:500]}"

    def _make_validator(self, schema: str) -> Draft202012Validator:
        assert self._contract is not None
        resource: Any = Resource.from_contents(self._contract.document, default_specification=DRAFT202012)
        absolute = schema.replace('"#/', f'"{_ROOT}#/')
        return Draft202012Validator(json.loads(absolute), registry=Registry().with_resource(_ROOT, resource))


_LENGTHS = {
    "content": 2000,
    "custom_id": 100,
    "placeholder": 150,
    "nonce": 25,
    "title": 256,
    "filename": 1024,
    "name": 256,  # of an embed's field; commands' names are shorter still, see below
}
"""The most characters of a text, wherever it stands in a body."""

_COUNTS = {"options": 25, "choices": 25, "fields": 25, "embeds": 10, "attachments": 10, "attachment_urls": 50}
"""The most entries of a list."""


def limits(body: Any) -> Iterator[str]:
    """Which of Discord's documented lengths and counts a body breaks, wherever in it they apply."""
    if isinstance(body, list):
        for part in body:
            yield from limits(part)
    if not isinstance(body, dict):
        return
    for name, most in _LENGTHS.items():
        if isinstance(body.get(name), str) and len(body[name]) > most:
            yield f"{name} has {len(body[name])} characters, {most} are allowed"
    for name, most in _COUNTS.items():
        if isinstance(body.get(name), list) and len(body[name]) > most:
            yield f"{len(body[name])} {name}, {most} are allowed"
    yield from _embeds(body.get("embeds") or [])
    yield from _components(body)
    yield from _command(body)
    shown = body.get("content") or body.get("embeds")
    if shown and body.get("allowed_mentions") is None and "embeds" not in body:
        yield "mentions are not disabled"
    for value in body.values():
        yield from limits(value)


def _embeds(embeds: list[Any]) -> Iterator[str]:
    size = 0
    for embed in embeds:
        texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
        texts.append((embed.get("author") or {}).get("name"))
        if len(embed.get("description") or "") > 4096:
            yield "an embed's description has more than 4096 characters"
        if len(texts[2] or "") > 2048 or len(texts[3] or "") > 256:
            yield "an embed's footer or author is too long"
        for part in embed.get("fields") or ():
            texts += [part["name"], part["value"]]
            if not (1 <= len(part["name"]) <= 256 and 1 <= len(part["value"]) <= 1024):
                yield "an embed's field is empty or too long"
        size += sum(len(text or "") for text in texts)
    if size > 6000:
        yield f"embeds have {size} characters together, 6000 are allowed"


def _components(body: Json) -> Iterator[str]:
    rows = body.get("components") or []
    if len(rows) > 5:
        yield f"{len(rows)} components, 5 are allowed"  # rows of a message as well as buttons of a row
    for part in rows:
        if part.get("type") == 2 and len(part.get("label") or "") > 80:
            yield "a button's label has more than 80 characters"
        if part.get("type") == 3:
            for option in part.get("options") or ():
                for name in ("label", "value", "description"):
                    if len(option.get(name) or "") > 100:
                        yield f"a choice's {name} has more than 100 characters"
            if not part.get("options"):
                yield "a menu without choices"
    if "custom_id" in body and "title" in body:  # a modal
        if len(body["title"]) > 45:
            yield "a modal's title has more than 45 characters"
        fields = [field for row in rows for field in (row.get("components") or [row.get("component") or {}])]
        if any(len(field.get("label") or "") > 45 for field in fields):
            yield "a field's label has more than 45 characters"


def _command(body: Json) -> Iterator[str]:
    """A command or an option of one."""
    if "description" not in body or "name" not in body or "value" in body:
        return
    if not 1 <= len(body["name"]) <= 32:
        yield "a command's or option's name has more than 32 characters"
    if len(body["description"]) > 100:
        yield "a command's or option's description has more than 100 characters"
    for choice in body.get("choices") or ():
        if len(str(choice["name"])) > 100 or len(str(choice["value"])) > 100:
            yield "a choice has more than 100 characters"
    if _command_size(body) > 8000:
        yield "a command has more than 8000 characters"


def _command_size(body: Json) -> int:
    own = len(body["name"]) + len(body["description"])
    own += sum(len(str(choice["name"])) + len(str(choice["value"])) for choice in body.get("choices") or ())
    return own + sum(_command_size(option) for option in body.get("options") or ())
