"""Message components as a client gives them and as they come back: checked, numbered, and made whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from discord_sim.rest.component_bodies import CONTAINER, SELECTS, InModal, OnTop, Row
from discord_sim.rest.errors import ApiError, Code, invalid
from discord_sim.rest.validation import as_errors
from discord_sim.state import Json

COMPONENTS_V2 = 1 << 15
_MOST_V1, _MOST_V2 = 5, 40
_TOP_V1: TypeAdapter[list[Any]] = TypeAdapter(list[Row])
_TOP_V2: TypeAdapter[list[Any]] = TypeAdapter(list[OnTop])
_TOP_MODAL: TypeAdapter[list[Any]] = TypeAdapter(list[InModal])


def read_components(wanted: object, *, second: bool = False) -> list[Json]:
    """A message's components as they come back, each with a number. Raises ApiError."""
    return _read(_TOP_V2 if second else _TOP_V1, wanted, _MOST_V2 if second else _MOST_V1)


def read_modal_components(wanted: object) -> list[Json]:
    if not wanted:
        raise invalid("data.components", "BASE_TYPE_REQUIRED", "This field is required")
    return _read(_TOP_MODAL, wanted, _MOST_V1, "data")


def _read(adapter: TypeAdapter[list[Any]], wanted: object, most: int, *prefix: str) -> list[Json]:
    if wanted is None:
        return []
    where = (*prefix, "components")
    if isinstance(wanted, list) and len(wanted) > most:
        raise invalid(".".join(where), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    try:
        parts = adapter.validate_python(wanted)
    except ValidationError as error:
        raise ApiError(Code.INVALID_FORM, as_errors(error, where)) from None
    shapes = [part.model_dump(exclude_none=True) for part in parts]
    taken: set[str] = set()
    for number, part in enumerate(_flat(shapes), start=1):
        name = part.get("custom_id")
        if name is not None and name in taken:
            raise invalid(".".join(where), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        taken.add(name or "")
        _complete(part, number)
    return shapes


def _flat(parts: Sequence[Json]) -> Iterator[Json]:
    for part in parts:
        yield part
        inner = [part[name] for name in ("accessory", "component") if name in part]
        yield from _flat([*part.get("components", ()), *inner])


def _complete(part: Json, number: int) -> None:
    """What Discord fills in; IDs become text."""
    part["id"] = part.get("id") or number
    if part["type"] in SELECTS:
        part.setdefault("min_values", 1)
        part.setdefault("max_values", 1)
    if "sku_id" in part:
        part["sku_id"] = str(part["sku_id"])
    for item in (part.get("emoji") or {}, *part.get("default_values", ())):
        _id_as_text(item)
    for option in part.get("options", ()):
        _id_as_text(option.get("emoji") or {})
    for item in (part, *part.get("items", ())):
        _complete_media(item, number)
    if part["type"] == CONTAINER:
        part.setdefault("accent_color", None)


def _id_as_text(item: Json) -> None:
    if "id" in item:
        item["id"] = str(item["id"])


def _complete_media(item: Json, number: int) -> None:
    for name in ("media", "file"):
        if name in item:
            url = item[name]["url"]
            item[name] = {"id": str(number), "url": url, "proxy_url": url, "width": None, "height": None}
    if "media" in item:
        item.setdefault("description", None)
    if "file" in item:
        item |= {"name": item["file"]["url"].rpartition("/")[2], "size": 0}
