"""The example files name every setting, with its default, and nothing else."""

import re
from pathlib import Path

import json5
import pytest
from pydantic.alias_generators import to_camel

from markov_shard.settings import Settings, environment_name, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_env_example_names_every_setting() -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    settings = {environment_name(name) for name in Settings.model_fields}
    of_compose_alone = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) - settings
    assert named >= settings
    assert named - settings <= of_compose_alone


def test_the_example_config_names_every_setting() -> None:
    text = (ROOT / "config.example.json5").read_text(encoding="utf-8")
    named = set(re.findall(r"^\s*(?:// )?(\w+): ", text, re.MULTILINE))
    assert named == {to_camel(name) for name in Settings.model_fields}


def test_the_example_config_holds_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(environment_name(name), raising=False)
    monkeypatch.delenv("CONFIG_DIR", raising=False)
    text = (ROOT / "config.example.json5").read_text(encoding="utf-8")
    assert json5.loads(text)
    (tmp_path / "config.json5").write_text(text, encoding="utf-8")
    assert load_settings(directory=tmp_path).model_dump() == Settings().model_dump()
