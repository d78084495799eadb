"""Every answer checked against Discord's published OpenAPI document, for tests that ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from discord_sim.state import Json

_ROOT = "urn:discord"


class Contract:
    """The document's routes, and whether an answer is what it says. Needs jsonschema-rs."""

    def __init__(self, document: Json) -> None:
        from jsonschema_rs import Draft202012Validator, Registry  # development only

        # The document has numbers for the codes of single fields; what Discord sends, and its guide shows, are words.
        field_error = document["components"]["schemas"]["InnerErrors"]["properties"]["_errors"]
        field_error["items"] = {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
        self.document = document
        self._registry = Registry([(_ROOT, document)])
        self._validator = cache(self._make_validator)
        self._class = Draft202012Validator
        self._by_length: dict[int, list[tuple[list[str], str]]] = {}
        for path in document["paths"]:
            parts = path.strip("/").split("/")
            self._by_length.setdefault(len(parts), []).append((parts, path))

    @classmethod
    def read(cls, path: Path) -> Contract:
        return cls(orjson.loads(path.read_bytes()))

    def route(self, path: str) -> str | None:
        """The document's path that a request's path, without `/api/v10`, matches; exact words go before IDs."""
        wanted = path.strip("/").split("/")
        found = [
            (sum(part.startswith("{") for part in parts), name)
            for parts, name in self._by_length.get(len(wanted), ())
            if all(part.startswith("{") or part == word for part, word in zip(parts, wanted, strict=True))
        ]
        return min(found)[1] if found else None

    def violations(self, method: str, path: str, status: int, body: bytes | None) -> Iterator[str]:
        """What is wrong with an answer; nothing where the document does not have the route."""
        route = self.route(path)
        operation = None if route is None else self.document["paths"][route].get(method.lower())
        if route is None or operation is None:
            return
        name = next((n for n in (str(status), f"{status // 100}XX") if n in operation["responses"]), None)
        if name is None:
            if status < 500:
                yield f"{method} {route}: the document has no answer {status}"
            return
        schema = self._schema(["paths", route, method.lower(), "responses", name])
        if schema is None:
            if body and status != 204:
                yield f"{method} {route}: answer {status} has no body in the document"
            return
        for error in self._validator(schema).iter_errors(orjson.loads(body or b"null")):
            where = "/".join(str(part) for part in error.instance_path)
            yield f"{method} {route} {status}: {where}: {error.message[:300]}"

    def request_schema(self, method: str, route: str) -> Json | None:
        """The schema of a route's JSON body."""
        body = self.document["paths"][route][method.lower()].get("requestBody", {})
        found = body.get("content", {}).get("application/json", {}).get("schema")
        return None if found is None else dict(found)

    def accepts(self, method: str, route: str, body: object) -> bool:
        """Whether a JSON body fits the route's schema; True where it has none."""
        place = ["paths", route, method.lower(), "requestBody"]
        if self.request_schema(method, route) is None:
            return True
        schema = self._schema(place)
        try:
            json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return False  # half a character is no text
        return schema is None or bool(self._validator(schema).is_valid(body))

    def _schema(self, place: list[str]) -> str | None:
        """The JSON pointer of an answer's schema."""
        node: Any = self.document
        for part in place:
            node = node[part]
        if "$ref" in node:
            place = node["$ref"].removeprefix("#/").split("/")
            node = self.document
            for part in place:
                node = node[part]
        if "application/json" not in node.get("content", {}):
            return None
        full = [*place, "content", "application/json", "schema"]
        return "/".join(quote(part.replace("~", "~0").replace("/", "~1"), safe="~") for part in full)

    def _make_validator(self, pointer: str) -> Any:
        return self._class({"$ref": f"{_ROOT}#/{pointer}"}, registry=self._registry)
