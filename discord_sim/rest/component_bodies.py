"""The bodies of message components: rows, buttons, select menus, those of the second version, and their limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from discord_sim.rest.embeds import Address
from discord_sim.rest.validation import Snowflake, Wanted, distinct, fault

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = (STRING_SELECT, 5, 6, 7, 8)
_ENTITY, CONTAINER = 5, 17
_LINK, _PREMIUM = 5, 6

CustomId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_ChannelTypes = Annotated[list[Annotated[int, Field(ge=0, le=16)]], AfterValidator(distinct)]
Number = Annotated[int, Field(ge=0, le=0x7FFFFFFF)]


class Emoji(Wanted):
    id: Snowflake | None = None
    name: Annotated[str, StringConstraints(max_length=32)] | None = None
    animated: bool | None = None


class Part(Wanted):
    id: Number | None = None


class Button(Part):
    type: Literal[2]
    style: Annotated[int, Field(ge=1, le=6)]
    custom_id: CustomId | None = None
    label: Annotated[str, StringConstraints(max_length=80)] | None = None
    emoji: Emoji | None = None
    url: Annotated[Address, StringConstraints(max_length=512)] | None = None
    sku_id: Snowflake | None = None
    disabled: bool | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Button:
        if self.style == _LINK and (self.url is None or self.custom_id is not None):
            raise fault("BUTTON_COMPONENT_INVALID_URL", "A link button has a url and no custom_id")
        if self.style < _LINK and (self.custom_id is None or self.url is not None):
            raise fault("BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required, and no url")
        if self.style != _PREMIUM and not self.label and self.emoji is None:
            raise fault("BUTTON_COMPONENT_INVALID_LABEL", "A button needs a label or an emoji")
        return self


class Option(Wanted):
    label: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    value: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    description: Annotated[str, StringConstraints(max_length=100)] | None = None
    emoji: Emoji | None = None
    default: bool | None = None


class Select(Part):
    custom_id: CustomId
    placeholder: Annotated[str, StringConstraints(max_length=150)] | None = None
    min_values: Annotated[int, Field(ge=0, le=25)] | None = None
    max_values: Annotated[int, Field(ge=1, le=25)] | None = None
    disabled: bool | None = None
    required: bool | None = None

    @model_validator(mode="after")
    def _range(self) -> Select:
        low, high = self.min_values, self.max_values
        if (1 if low is None else low) > (1 if high is None else high):
            raise fault("SELECT_COMPONENT_MIN_VALUES_ABOVE_MAX", "min_values cannot be above max_values")
        return self


class StringSelect(Select):
    type: Literal[3]
    options: Annotated[list[Option], Field(min_length=1, max_length=25)]

    @model_validator(mode="after")
    def _distinct(self) -> StringSelect:
        if len({option.value for option in self.options}) < len(self.options):
            raise fault("SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used")
        if self.max_values is not None and self.max_values > len(self.options):
            raise fault("SELECT_COMPONENT_MAX_VALUES_ABOVE_OPTIONS", "max_values is above the number of options")
        return self


class DefaultValue(Wanted):
    id: Snowflake
    type: Literal["user", "role", "channel"]


class EntitySelect(Select):
    """A menu of users, roles or both."""

    type: Literal[5, 6, 7]
    default_values: Annotated[list[DefaultValue], Field(max_length=25)] | None = None


class ChannelSelect(Select):
    type: Literal[8]
    default_values: Annotated[list[DefaultValue], Field(max_length=25)] | None = None
    channel_types: _ChannelTypes | None = None


class TextInput(Part):
    type: Literal[4]
    custom_id: CustomId
    style: Literal[1, 2]
    label: Annotated[str, StringConstraints(min_length=1, max_length=45)] | None = None
    min_length: Annotated[int, Field(ge=0, le=4000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=4000)] | None = None
    required: bool | None = None
    value: Annotated[str, StringConstraints(max_length=4000)] | None = None
    placeholder: Annotated[str, StringConstraints(max_length=100)] | None = None


class Media(Wanted):
    url: Address


class TextDisplay(Part):
    type: Literal[10]
    content: Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class Thumbnail(Part):
    type: Literal[11]
    media: Media
    description: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    spoiler: bool = False


class GalleryItem(Wanted):
    media: Media
    description: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    spoiler: bool = False


class Gallery(Part):
    type: Literal[12]
    items: Annotated[list[GalleryItem], Field(min_length=1, max_length=10)]


class FileDisplay(Part):
    type: Literal[13]
    file: Media
    spoiler: bool = False


class Separator(Part):
    type: Literal[14]
    spacing: Literal[1, 2] = 1
    divider: bool = True


def _kind(value: Any) -> str:
    """The tag of a component's type, which `as_errors` leaves out of the path."""
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"kind:{_ENTITY if found in (5, 6, 7) else found}"


_AButton = Annotated[Button, Tag("kind:2")]
_AMenu = (
    Annotated[StringSelect, Tag("kind:3")]
    | Annotated[EntitySelect, Tag("kind:5")]
    | Annotated[ChannelSelect, Tag("kind:8")]
)
_AnInput = Annotated[TextInput, Tag("kind:4")]
InRow = Annotated[_AButton | _AMenu, Discriminator(_kind)]
InModalRow = Annotated[_AnInput | _AMenu, Discriminator(_kind)]
Accessory = Annotated[_AButton | Annotated[Thumbnail, Tag("kind:11")], Discriminator(_kind)]


class Row(Part):
    type: Literal[1]
    components: Annotated[list[InRow], Field(min_length=1, max_length=5)]

    @model_validator(mode="after")
    def _fits(self) -> Row:
        if len(self.components) > 1 and any(part.type in SELECTS for part in self.components):
            raise fault("COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")
        return self


class Section(Part):
    type: Literal[9]
    components: Annotated[list[TextDisplay], Field(min_length=1, max_length=3)]
    accessory: Accessory


_ADisplay = (
    Annotated[Row, Tag("kind:1")]
    | Annotated[Section, Tag("kind:9")]
    | Annotated[TextDisplay, Tag("kind:10")]
    | Annotated[Gallery, Tag("kind:12")]
    | Annotated[FileDisplay, Tag("kind:13")]
    | Annotated[Separator, Tag("kind:14")]
)
InContainer = Annotated[_ADisplay, Discriminator(_kind)]


class Container(Part):
    type: Literal[17]
    accent_color: Annotated[int, Field(ge=0, le=0xFFFFFF)] | None = None
    spoiler: bool = False
    components: Annotated[list[InContainer], Field(min_length=1, max_length=40)]


class ModalRow(Part):
    type: Literal[1]
    components: Annotated[list[InModalRow], Field(min_length=1, max_length=1)]


class Label(Part):
    type: Literal[18]
    label: Annotated[str, StringConstraints(min_length=1, max_length=45)]
    description: Annotated[str, StringConstraints(max_length=100)] | None = None
    component: InModalRow


OnTop = Annotated[_ADisplay | Annotated[Container, Tag("kind:17")], Discriminator(_kind)]
InModal = Annotated[
    Annotated[ModalRow, Tag("kind:1")] | Annotated[TextDisplay, Tag("kind:10")] | Annotated[Label, Tag("kind:18")],
    Discriminator(_kind),
]
