"""Training files of every format, and files that are not what they claim."""

import gzip
import json
from pathlib import Path

import pytest

from markov_shard.errors import TrainingInputError
from markov_shard.training.entries import BadEntryError, Entry
from markov_shard.training.files import read_entries, survey, training_files

MESSAGES = [{"message": "one fish", "id": "1"}, "two fish", {"message": "red fish", "id": "3", "author": "4"}]
EXPECTED = [(1, Entry("one fish", 1)), (2, Entry("two fish")), (3, Entry("red fish", 3, 4))]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines() -> str:
    return "".join(json.dumps(message) + "\n" for message in MESSAGES)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(MESSAGES),
        "\n  " + json.dumps(MESSAGES, indent=2),
        "\ufeff" + json.dumps(MESSAGES),
        lines(),
        lines().rstrip(),
        gzip.compress(lines().encode()),
        gzip.compress(json.dumps(MESSAGES).encode()),
    ],
    ids=["array", "indented array", "byte order mark", "lines", "no last newline", "gzipped lines", "gzipped array"],
)
def test_the_same_entries_come_out_of_every_format(tmp_path: Path, content: str | bytes) -> None:
    assert list(read_entries(write(tmp_path / "chat", content))) == EXPECTED


def test_an_export_gives_its_channel_to_its_messages(tmp_path: Path) -> None:
    message = {"id": "9", "type": "Default", "content": "hey you", "author": {"id": "3", "isBot": False}}
    export = {"guild": {"id": "1"}, "channel": {"id": "7"}, "messages": [message, {**message, "author": None}]}
    for indent in (None, 2):
        path = write(tmp_path / "export.json", json.dumps(export, indent=indent))
        first, second = read_entries(path)
        assert first == (1, Entry("hey you", 9, 3, 7))
        assert isinstance(second[1], BadEntryError)


def test_a_bad_entry_is_counted_and_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", '{"message": "fine"}\n{"message": \n{"id": "5"}\n"fine too"\n')
    found = survey(path)
    assert (found.entries, found.bad) == (2, 2)
    assert [problem.split(":")[0] for problem in found.problems] == ["chat.jsonl, entry 2", "chat.jsonl, entry 3"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hello", "not JSON"),
        ("", "not JSON"),
        ('[{"message": "a"}, {"mess', "not valid JSON"),
        ('{"guild": {}}', "no `message`"),
        ('{\n"guild": {}}', "without a `messages` array"),
        ("[1, 2]", "entry 1: is of type int"),
        ("[]", "holds no message"),
        (b"\xff\xfe[1", "not JSON"),
        (gzip.compress(b'["a", "b"]' * 100)[:-12], "damaged gzip"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_refused_by_name(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(TrainingInputError, match=said) as caught:
        survey(write(tmp_path / "chat.json", content))
    assert "chat.json" in str(caught.value)


def test_directories_are_searched_and_missing_paths_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    wanted = {write(tmp_path / "a.json", "[]"), write(tmp_path / "deep" / "b.jsonl.gz", "")}
    write(tmp_path / "notes.txt", "")
    assert set(training_files([tmp_path])) == wanted
    with pytest.raises(TrainingInputError, match="no such file"):
        training_files([tmp_path / "missing.json"])
