"""Files that are broken, hostile or not what they say: one line that names the place, and nothing else happens."""

import gzip
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markov_shard.errors import TrainingInputError
from markov_shard.training.entries import MAX_CHARACTERS
from markov_shard.training.files import survey
from markov_shard.training.nesting import MAX_DEPTH, ShallowReader
from markov_shard.training.unpacking import MAX_LINE

NEST = 100_000


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("cut", [8, 12, 200])
def test_a_truncated_gzip_file(tmp_path: Path, cut: int) -> None:
    packed = gzip.compress(json.dumps([f"message {n}" for n in range(1000)]).encode())
    with pytest.raises(TrainingInputError, match=r"chat\.json\.gz: damaged gzip file"):
        survey(write(tmp_path / "chat.json.gz", packed[:-cut]))


def test_a_gzip_bomb(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(["a" * (1 << 20)] * 80).encode())
    assert len(packed) < 1 << 20
    with pytest.raises(TrainingInputError, match=r"chat\.json\.gz: a gzip bomb"):
        survey(write(tmp_path / "chat.json.gz", packed))


def test_nested_beyond_measure(tmp_path: Path) -> None:
    nested = "[" * NEST + "]" * NEST
    found = survey(write(tmp_path / "chat.jsonl", f'"fine"\n{nested}\n{{"message": {nested}}}\n"fine too"\n'))
    assert (found.entries, found.bad) == (2, 2)
    for name, content in (
        ("array", nested),
        ("item", f'["fine", {nested}]'),
        ("export", f'{{"messages": [{nested}]}}'),
    ):
        with pytest.raises(TrainingInputError, match=rf"{name}\.json: nested more than {MAX_DEPTH} deep"):
            survey(write(tmp_path / f"{name}.json", content))


def brackets(text: str) -> str:
    """What of a JSON text opens or closes something, by Python's own parser's idea of a string."""
    return "".join(piece for piece in re.sub(r'"(?:[^"\\]|\\.)*"', "", text) if piece in "[]{}")


@given(
    value=st.recursive(
        st.text(alphabet='ab"\\[]{}\n\u00e9'), lambda inner: st.lists(inner) | st.dictionaries(st.text('"[\\'), inner)
    ),
    size=st.integers(1, 9),
    ascii_only=st.booleans(),
)
def test_brackets_are_told_from_those_in_strings_wherever_a_read_ends(
    value: object, size: int, ascii_only: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    reader = ShallowReader(io.BufferedReader(io.BytesIO(text.encode())), "chat.json")
    found = b""
    while data := reader._file.read(size):
        found += reader._brackets(data)
    assert found.decode() == brackets(text)


def test_a_string_without_end_is_refused_before_it_is_held(tmp_path: Path) -> None:
    with pytest.raises(TrainingInputError, match=r"chat\.json: a string longer than 16 MiB"):
        survey(write(tmp_path / "chat.json", '["fine", "' + "a" * (MAX_LINE + (1 << 20)) + '"]'))


def test_what_is_as_deep_as_allowed_is_read(tmp_path: Path) -> None:
    nested = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    found = survey(write(tmp_path / "chat.json", f'["fine [[[{{{{", {nested}]'))
    assert (found.entries, found.bad) == (1, 1)


def test_entries_of_wrong_types_are_named_and_skipped(tmp_path: Path) -> None:
    entries = ["fine", 5, None, True, [], {"message": []}, {"message": 5}, {"message": "x", "id": {}}, {"text": "y"}]
    found = survey(write(tmp_path / "chat.json", json.dumps(entries)))
    assert (found.entries, found.bad) == (1, 8)
    assert found.problems[0] == "chat.json, entry 2: is of type int, not a string or an object"


@pytest.mark.parametrize("name", ["chat.jsonl", "chat.json"])
def test_a_message_of_ten_megabytes(tmp_path: Path, name: str) -> None:
    huge = "a " * (5 << 20)
    text = json.dumps([huge, "fine"]) if name == "chat.json" else f'{json.dumps(huge)}\n"fine"\n'
    found = survey(write(tmp_path / name, text))
    assert (found.entries, found.bad) == (1, 1)
    assert f"{MAX_CHARACTERS} are allowed" in found.problems[0]


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path) -> None:
    found = survey(write(tmp_path / "chat.jsonl", '"fine"\n"' + "a" * (MAX_LINE + 5) + '"\n"fine too"'))
    assert (found.entries, found.bad) == (2, 1)
    assert "longer than 16 MiB" in found.problems[0]


@pytest.mark.parametrize("name", ["chat.jsonl", "chat.json"])
def test_nul_and_either_half_of_a_surrogate_pair(tmp_path: Path, name: str) -> None:
    lines = ['"a\\u0000b"', '{"message": "a\\ud83d b"}', '{"message": "a\\ude00b"}', '"whole \\ud83d\\ude00"', '"fine"']
    found = survey(write(tmp_path / name, "\n".join(lines) if name == "chat.jsonl" else f"[{','.join(lines)}]"))
    assert (found.entries, found.bad) == (2, 3)
    assert [problem.split(":")[0] for problem in found.problems] == [f"{name}, entry {n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("page", ["<!DOCTYPE html><html></html>", "\n<html><body>404</body></html>"])
def test_an_html_page(tmp_path: Path, page: str) -> None:
    with pytest.raises(TrainingInputError, match=r"chat\.json: an HTML page"):
        survey(write(tmp_path / "chat.json", page))


def test_an_sqlite_file_of_another_schema(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE markov_input_data (id INTEGER, text TEXT)")
        connection.execute("CREATE VIEW channel AS SELECT 1 AS id")
    connection.close()
    with pytest.raises(TrainingInputError, match=r"other\.sqlite: an SQLite file of another schema"):
        survey(path, guild_id=1)


def test_a_damaged_sqlite_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingInputError, match=r"bad\.sqlite: not a readable SQLite file"):
        survey(write(tmp_path / "bad.sqlite", b"SQLite format 3\0" + b"\xff" * 5000), guild_id=1)
