"""The stand-in's program refuses what it cannot use, in one line."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from discord_sim.__main__ import command


@pytest.mark.parametrize("text", ["{", "[]", '{"paths": {}}'])
def test_a_document_that_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(command, ["--port", "0", "--check-answers", str(file)])
    assert done.exit_code == 1
    assert done.output == f"Error: --check-answers: {file} is not Discord's OpenAPI document\n"


def test_the_package_that_checks_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "document.json"
    file.write_text("{}", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    done = CliRunner().invoke(command, ["--port", "0", "--check-answers", str(file)])
    assert done.exit_code == 1
    assert done.output == "Error: --check-answers needs the package jsonschema-rs\n"
