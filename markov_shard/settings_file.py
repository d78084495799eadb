"""The JSON5 settings file: where it is looked for, how its keys become settings, what the environment overrides."""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import json5
from dotenv import dotenv_values
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from markov_shard.errors import SettingsError

EXTENSIONS = (".json", ".json5")
FOLDERS = ("", "config")
"""Where the file is looked for without CONFIG_DIR: the directory of the start, then its `config/`."""


@dataclass(frozen=True)
class SettingsFile:
    """What the file holds, by field name; `path` is None when there is no file."""

    path: Path | None
    values: Mapping[str, object]
    notes: tuple[str, ...] = ()

    def sources(self, settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file as a source of settings."""
        return (InitSettingsSource(settings_cls, init_kwargs=dict(self.values)),)


@dataclass(frozen=True)
class Environment:
    """The process's variables over those of `.env`; empty ones count as not set."""

    variables: Mapping[str, str]

    @classmethod
    def read(cls, dotenv: Path) -> "Environment":
        """As of now."""
        found = {**dotenv_values(dotenv), **os.environ}
        return cls({name: value for name, value in found.items() if value})

    def notes(self, field_of: Mapping[str, str], file: SettingsFile) -> tuple[str, ...]:
        """Says which settings the environment decides against the file, and which variables look misspelt.

        `field_of` maps the environment's names to field names.
        """
        both = sorted(name for name in field_of if name in self.variables and field_of[name] in file.values)
        notes = [f"set in the environment and in {file.path}, the environment wins: {', '.join(both)}"] if both else []
        notes += [
            f"environment variable {name} is no setting; did you mean {nearest[0]}?"
            for name in sorted(self.variables.keys() - field_of.keys())
            if (nearest := difflib.get_close_matches(name.upper(), list(field_of), n=1, cutoff=0.85))
        ]
        return tuple(notes)


def find_settings_file(directory: Path, environment: Environment, field_of: Mapping[str, str]) -> SettingsFile:
    """Reads CONFIG_FILE_NAME (default `config`) with either extension, in CONFIG_DIR or else one of FOLDERS.

    `field_of` maps the file's camelCase keys to field names.
    Raises SettingsError when a named file is missing, is not JSON5, or has an unknown key.
    """
    named = environment.variables.get("CONFIG_FILE_NAME")
    folder = environment.variables.get("CONFIG_DIR")
    folders = [directory / name for name in ((folder,) if folder else FOLDERS)]
    stem = Path(named).stem if named and Path(named).suffix in EXTENSIONS else named or "config"
    names = dict.fromkeys([*([named] if named else []), *(f"{stem}{extension}" for extension in EXTENSIONS)])
    found = [path / name for path in folders for name in names if (path / name).is_file()]
    if not found:
        if named:
            raise SettingsError(f"setting CONFIG_FILE_NAME is {named!r}: there is no such file in {folders[0]}")
        return SettingsFile(None, {})
    path, *others = found
    content = _parse(path)
    for key in content:
        if key not in field_of:
            raise SettingsError(f"{path}: unknown setting {key!r}{_nearest(key, field_of)}")
    values = {field_of[key]: value for key, value in content.items() if value is not None}
    return SettingsFile(path, values, tuple(f"{other} is not read, since {path} is" for other in others))


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
