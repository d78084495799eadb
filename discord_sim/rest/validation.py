"""Bodies checked by pydantic models, and what is wrong with them said in Discord's way."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from discord_sim.ids import parse_snowflake
from discord_sim.rest.errors import ApiError, Code
from discord_sim.state import Json

_MOST_SNOWFLAKE = (1 << 63) - 1


class Wanted(BaseModel):
    """Part of a body. Values are not converted between types; fields Discord does not know are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    @property
    def given(self) -> set[str]:
        """The fields that the body had."""
        return self.model_fields_set


def distinct(values: list[Any]) -> list[Any]:
    """A list that Discord reads as a set."""
    if len(set(values)) < len(values):
        raise fault("SET_TYPE_ALREADY_CONTAINS_VALUE", "The Set already contains this value")
    return values


def no_boolean(value: Any) -> Any:
    """For a choice of numbers, of which Python thinks that true and false are two."""
    if isinstance(value, bool):
        raise fault("NUMBER_TYPE_COERCE", f"Value {value!r} is not int.")
    return value


Model = TypeVar("Model", bound=BaseModel)


def _snowflake(value: Any) -> int:
    found = parse_snowflake(value)
    if found is None or found > _MOST_SNOWFLAKE:
        raise PydanticCustomError("NUMBER_TYPE_COERCE", "Value {value} is not snowflake.", {"value": repr(value)})
    return found


Snowflake = Annotated[int, BeforeValidator(_snowflake)]


def fault(code: str, message: str) -> PydanticCustomError:
    """What a validator raises: one of Discord's codes for a field, and its message."""
    return PydanticCustomError(code, message.replace("{", "{{").replace("}", "}}"))


def read(model: type[Model], document: object, *where: str) -> Model:
    """The document as the model. Raises ApiError 50035 that names every field that is wrong."""
    if not isinstance(document, dict):
        raise ApiError(Code.INVALID_JSON)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ApiError(Code.INVALID_FORM, as_errors(error, where)) from None


def as_errors(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> Json:
    """Discord's `errors`: nested by field and place, each leaf with a code and a message."""
    nested: Json = {}
    for item in error.errors(include_url=False, include_context=True):
        place = nested
        for part in (*prefix, *item["loc"]):
            if not (isinstance(part, str) and part.startswith("kind:")):
                place = place.setdefault(str(part), {})
        code, message = _in_words(item)
        place.setdefault("_errors", []).append({"code": code, "message": message})
    return nested


_SIMPLE = {
    "missing": ("BASE_TYPE_REQUIRED", "This field is required"),
    "string_type": ("STRING_TYPE_CONVERT", "Could not interpret value as string."),
    "bool_type": ("BOOLEAN_TYPE_CONVERT", "Must be either true or false."),
    "list_type": ("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"),
    "dict_type": ("DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType"),
    "model_type": ("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType"),
    "model_attributes_type": ("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType"),
    "union_tag_invalid": ("UNION_TYPE_CHOICES", 'Value of field "type" must be one of those that are known.'),
    "union_tag_not_found": ("UNION_TYPE_CHOICES", 'Value of field "type" must be one of those that are known.'),
}


def _in_words(item: ErrorDetails) -> tuple[str, str]:
    kind, about = item["type"], item.get("ctx", {})
    if kind.isupper():
        return kind, item["msg"]
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    match kind:
        case "string_too_long" | "too_long":
            return "BASE_TYPE_MAX_LENGTH", f"Must be {about['max_length']} or fewer in length."
        case "string_too_short" | "too_short":
            return "BASE_TYPE_MIN_LENGTH", f"Must be {about['min_length']} or more in length."
        case "literal_error" | "enum":
            return "BASE_TYPE_CHOICES", f"Value must be one of {{{about.get('expected', '')}}}."
        case "greater_than_equal":
            return "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {about['ge']}."
        case "less_than_equal":
            return "NUMBER_TYPE_MAX", f"int value should be less than or equal to {about['le']}."
        case "int_type" | "int_parsing" | "int_from_float" | "float_type":
            return "NUMBER_TYPE_COERCE", f"Value {item['input']!r:.80} is not int."
        case _:
            return "BASE_TYPE_INVALID", item["msg"]
