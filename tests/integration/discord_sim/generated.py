"""Instances of JSON schemas, right ones and wrong ones, drawn with a seed.

hypothesis-jsonschema does what is needed here, but not with the hypothesis of today.
"""

import random
import string
from typing import Any

_TEXT = string.ascii_letters + string.digits + " _-äß漢🙂<@>"
_JUNK: tuple[Any, ...] = (None, True, -1, 2**70, 1.5, "", "x" * 9000, [], {}, [[1]], {"type": 99}, "\ud800", "0")
_MOST_ITEMS, _DEEPEST = 3, 6


class Generator:
    """Draws from schemas of one document; IDs are taken from `ids` where a schema wants one."""

    def __init__(self, document: dict[str, Any], rng: random.Random, ids: list[str]) -> None:
        self._document = document
        self._rng = rng
        self._ids = ids

    def right(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """An instance that fits, as far as a schema alone can say."""
        rng = self._rng
        if "$ref" in schema:
            return self.right(self._resolved(schema["$ref"]), depth)
        if schema.get("format") == "snowflake":
            return rng.choice(self._ids)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return rng.choice(schema["enum"])
        for word in ("oneOf", "anyOf"):
            if word in schema:
                options = schema[word]
                if all("const" in option for option in options):
                    return rng.choice(options)["const"]
                plain = [option for option in options if option.get("type") == "null"]
                return self.right(rng.choice(plain if depth > _DEEPEST and plain else options), depth + 1)
        if "allOf" in schema and "properties" not in schema and "type" not in schema:
            return self._merged(schema["allOf"], depth)
        kinds = schema.get("type", "object")
        kind = rng.choice(kinds) if isinstance(kinds, list) else kinds
        return getattr(self, f"_{kind}")(schema, depth)

    def wrong(self, schema: dict[str, Any]) -> Any:
        """An instance with one place, or all of it, that most likely does not fit."""
        made = self.right(schema)
        if not made or self._rng.random() < 0.1:
            return self._rng.choice(_JUNK)
        node = made
        while True:
            key = self._rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
            inner = node[key]
            if isinstance(inner, dict | list) and inner and self._rng.random() < 0.7:
                node = inner
                continue
            node[key] = self._rng.choice(_JUNK)
            return made

    def _resolved(self, ref: str) -> dict[str, Any]:
        node: Any = self._document
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
        found: dict[str, Any] = node
        return found

    def _merged(self, parts: list[dict[str, Any]], depth: int) -> Any:
        made: Any = {}
        for part in parts:
            drawn = self.right(part, depth + 1)
            made = made | drawn if isinstance(drawn, dict) else drawn
        return made

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        chance = 0.4 if depth < _DEEPEST else 0.0
        names = [n for n in schema.get("properties", {}) if n in required or self._rng.random() < chance]
        return {name: self.right(schema["properties"][name], depth + 1) for name in names}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        low, unique = schema.get("minItems", 0), schema.get("uniqueItems")
        high = max(low, min(schema.get("maxItems", _MOST_ITEMS), _MOST_ITEMS if depth < _DEEPEST else low))
        drawn = [self.right(schema.get("items", {}), depth + 1) for _ in range(self._rng.randint(low, high))]
        return [item for place, item in enumerate(drawn) if item not in drawn[:place]] if unique else drawn

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        match schema.get("format"):
            case "date-time":
                return f"20{self._rng.randint(10, 40)}-0{self._rng.randint(1, 9)}-11T12:00:00+00:00"
            case "uri":
                return f"https://example.com/{self._rng.randint(1, 99)}.png"
        low = schema.get("minLength", 0)
        high = min(schema.get("maxLength", 30), max(low, 30))
        return "".join(self._rng.choice(_TEXT) for _ in range(self._rng.randint(low, high)))

    def _integer(self, schema: dict[str, Any], depth: int) -> int:
        low = schema.get("minimum", 0)
        return self._rng.randint(low, min(schema.get("maximum", low + 100), low + 10**6))

    def _number(self, schema: dict[str, Any], depth: int) -> float:
        return self._integer(schema, depth) + 0.5

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return self._rng.random() < 0.5

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None
