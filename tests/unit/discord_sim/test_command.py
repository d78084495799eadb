"""The stand-in's program: what it refuses, in one line, and when it ends."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from discord_sim.__main__ import command
from markov_shard.cli.supervisor import PARENT_FD


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


async def test_it_does_not_outlive_the_fleet_that_started_it() -> None:
    watched, alive = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "discord_sim", "--port", "0"),
            env={**os.environ, PARENT_FD: str(watched)},
            pass_fds=(watched,),
            stdout=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(watched)
    try:
        assert process.stdout is not None
        assert b"listening on" in await process.stdout.readline()
        os.close(alive)  # as the kernel does for a supervisor that was killed
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
