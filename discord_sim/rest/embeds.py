"""Embeds: their limits, and how they come back."""

from __future__ import annotations

import datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from discord_sim.rest.validation import Wanted, fault
from discord_sim.state import Json

MOST_EMBEDS, _MOST_CHARACTERS = 10, 6000
_SCHEMES = frozenset({"http", "https", "attachment"})


def _is_address(value: str) -> str:
    try:
        scheme = urlsplit(value).scheme
    except ValueError:
        scheme = ""
    if scheme not in _SCHEMES:
        raise fault("URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https').")
    if not value.isprintable() or " " in value or len(value) <= len(scheme) + 3:
        raise fault("URL_TYPE_INVALID_URL", "Not a well formed URL.")
    return value


def _is_time(value: str) -> str:
    try:
        made = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise fault("DATE_TIME_TYPE_PARSE", f"Could not parse {value[:80]}. Should be ISO8601.") from None
    made = made if made.tzinfo else made.replace(tzinfo=datetime.UTC)
    return made.astimezone(datetime.UTC).isoformat()


Address = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_is_address)]


class Picture(Wanted):
    url: Address | None = None


class Author(Wanted):
    name: Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
    url: Address | None = None
    icon_url: Address | None = None


class Footer(Wanted):
    text: Annotated[str, StringConstraints(min_length=1, max_length=2048, strip_whitespace=True)]
    icon_url: Address | None = None


class EmbedField(Wanted):
    name: Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
    value: Annotated[str, StringConstraints(min_length=1, max_length=1024, strip_whitespace=True)]
    inline: bool | None = None


class Embed(Wanted):
    """What a bot may set; the type is always `rich`."""

    title: Annotated[str, StringConstraints(max_length=256, strip_whitespace=True)] | None = None
    description: Annotated[str, StringConstraints(max_length=4096, strip_whitespace=True)] | None = None
    url: Address | None = None
    color: Annotated[int, Field(ge=0, le=0xFFFFFF)] | None = None
    timestamp: Annotated[str, AfterValidator(_is_time)] | None = None
    author: Author | None = None
    footer: Footer | None = None
    image: Picture | None = None
    thumbnail: Picture | None = None
    fields: Annotated[list[EmbedField], Field(max_length=25)] | None = None

    @property
    def characters(self) -> int:
        texts = [self.title, self.description, self.author and self.author.name, self.footer and self.footer.text]
        texts += [text for field in self.fields or () for text in (field.name, field.value)]
        return sum(len(text) for text in texts if text)

    def shape(self) -> Json:
        made: Json = {"type": "rich", **self.model_dump(exclude_none=True)}
        for name in ("image", "thumbnail"):
            if picture := made.pop(name, None):
                made[name] = picture | {"proxy_url": picture["url"], "width": 0, "height": 0}
        for place in made.get("fields", ()):
            place.setdefault("inline", False)
        return {name: value for name, value in made.items() if value not in ("", [])}

    def is_empty(self) -> bool:
        return self.shape().keys() <= {"type", "color", "timestamp"}


def within_limits(embeds: list[Embed]) -> list[Embed]:
    if sum(embed.characters for embed in embeds) > _MOST_CHARACTERS:
        raise fault("MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {_MOST_CHARACTERS}")
    return embeds


Embeds = Annotated[list[Embed], Field(max_length=MOST_EMBEDS), AfterValidator(within_limits)]
