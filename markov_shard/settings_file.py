"""The JSON5 settings file: where it is looked for, and how its keys become settings."""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import json5
from dotenv import dotenv_values
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from markov_shard.errors import SettingsError

NAMES = ("config.json5", "config.json")


@dataclass(frozen=True)
class SettingsFile:
    """What the file holds, by field name; `path` is None when there is no file."""

    path: Path | None
    values: Mapping[str, object]

    def sources(self, settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file as a source of settings."""
        return (InitSettingsSource(settings_cls, init_kwargs=dict(self.values)),)


def find_settings_file(directory: Path, dotenv: Path, field_of: Mapping[str, str]) -> SettingsFile:
    """Reads the file named by CONFIG_DIR and CONFIG_FILE_NAME, else one of NAMES in `directory`.

    `field_of` maps the file's camelCase keys to field names.
    Raises SettingsError when a named file is missing, is not JSON5, or has an unknown key.
    """
    where = {**dotenv_values(dotenv), **os.environ}
    folder = directory / (where.get("CONFIG_DIR") or "")
    named = where.get("CONFIG_FILE_NAME")
    path = next((folder / name for name in ((named,) if named else NAMES) if (folder / name).is_file()), None)
    if path is None:
        if named:
            raise SettingsError(f"setting CONFIG_FILE_NAME is {named!r}: there is no such file in {folder}")
        return SettingsFile(None, {})
    content = _parse(path)
    for key in content:
        if key not in field_of:
            raise SettingsError(f"{path}: unknown setting {key!r}{_nearest(key, field_of)}")
    return SettingsFile(path, {field_of[key]: value for key, value in content.items() if value is not None})


def _parse(path: Path) -> dict[str, object]:
    try:
        content = json5.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise SettingsError(f"{path}: not a readable JSON5 file: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: must hold one JSON5 object of settings")
    return content


def _nearest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
