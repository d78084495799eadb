"""`docs/settings.md`, made from the types: `python -m markov_shard.settings_page` prints it (`make docs` writes it)."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from markov_shard.settings import Settings, environment_name

_SECTIONS = {
    "token": "Discord",
    "state_size": "The chain",
    "member_cooldown_seconds": "Limits",
    "batch_size": "Learning and caches",
    "enable_markov_store": "Rollout",
    "database_url": "The fleet",
    "timezone": "Logging",
}
"""By the first field of each section, in the order of the types."""

_THEIRS = {
    "activity": "`!mark help`",
    "worker_pool_size": "4",
    "batch_size": "2000",
    "chain_cache_memory_limit": "128",
    "chain_save_debounce_ms": "5000",
    "enable_markov_store": "false",
    "enable_worker_pool": "false",
    "enable_batch_optimization": "false",
    "enable_performance_monitoring": "false",
    "optimization_rollout_percentage": "0",
}
"""Defaults of the single-process bot that these settings are known from, where ours differ."""

_HEAD = """# Settings

<!-- Generated from markov_shard/settings.py by `make docs`. -->

Every setting is optional. The environment wins over `.env`, and both win over the settings file; a start that finds a setting in both the environment and the file says so. A value that is not allowed stops the start with one line that names key, value and what is allowed; so does an unknown key in the file, which is named with the nearest known one. A variable of the environment that nearly is a setting's is pointed out.

The settings file is JSON5: `config.json` or, where there is none, `config.json5`, in CONFIG_DIR or else in the directory of the start and then in its `config/`. CONFIG_FILE_NAME names another, with or without its extension. Lists of IDs are comma-separated in the environment and arrays of strings in the file.
"""

_DIFFERENCES = """
## Coming from the single-process bot
Keys and meanings are the same, in the environment and in the file. What differs: here the environment wins over the file; no settings file is written at the first start; members in `userRoleIds` are joined by moderators and owners; and these defaults, since the optimizations are what this program is built on:

| environment | their default | ours |
|---|---|---|
"""


def settings_page() -> str:
    """The whole page."""
    return _HEAD + "".join(_section_lines()) + _DIFFERENCES + "".join(_difference_lines())


def _section_lines() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if name in _SECTIONS:
            yield f"\n## {_SECTIONS[name]}\n| environment | file | default | allowed | |\n|---|---|---|---|---|\n"
        cells = (f"`{environment_name(name)}`", f"`{to_camel(name)}`", _default(field), _allowed(field))
        yield f"| {' | '.join(cells)} | {field.description} |\n"


def _difference_lines() -> Iterator[str]:
    for name, theirs in _THEIRS.items():
        yield f"| `{environment_name(name)}` | {theirs} | {_default(Settings.model_fields[name])} |\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    assert value is not PydanticUndefined  # every setting is optional
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value in ("", frozenset(), ()):
        return "none"
    return str(value) if isinstance(value, int | float | Decimal) else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if kind is bool:
        return "true, false"
    if kind == frozenset[int] or "frozenset" in str(kind):
        return "IDs"
    if "tuple" in str(kind):
        return "a list"
    low = next((item.ge for item in field.metadata if isinstance(item, annotated_types.Ge)), None)
    high = next((item.le for item in field.metadata if isinstance(item, annotated_types.Le)), None)
    if low is not None and high is not None:
        return f"{low} to {high}{', hundredths too' if kind is Decimal else ''}"
    if "int" in str(kind):
        return "an ID" if low is None else f"from {low}"
    patterns = [item.pattern for item in field.metadata if getattr(item, "pattern", None)]
    return f"`{patterns[0]}`".replace("|", "\\|") if patterns else "a path" if "Path" in str(kind) else "text"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
