"""Where a setting comes from, and what a wrong one says."""

from pathlib import Path

import pytest

from markov_shard.errors import SettingsError
from markov_shard.settings import Settings, load_settings, reveal


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load_settings(directory=tmp_path)
    assert settings.token is None
    assert settings.state_size == 2
    assert settings.http_host == "127.0.0.1"


def test_environment_wins_over_dotenv_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json5").write_text("{batchSize: 300, minScore: 3, /* why not */ maxTries: 30}")
    (tmp_path / ".env").write_text("BATCH_SIZE=400\nMIN_SCORE=4\n")
    monkeypatch.setenv("BATCH_SIZE", "500")
    settings = load_settings(directory=tmp_path)
    assert (settings.batch_size, settings.min_score, settings.max_tries) == (500, 4, 30)


def test_overrides_win_and_none_means_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "500")
    assert load_settings({"batch_size": 600, "min_score": None}, directory=tmp_path).batch_size == 600


@pytest.mark.parametrize(
    ("text", "ids"), [("1,2", {1, 2}), ("1 2", {1, 2}), ("", set()), ("[1, 2]", {1, 2}), ("7", {7})]
)
def test_id_lists_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, ids: set[int]
) -> None:
    monkeypatch.setenv("OWNER_IDS", text)
    assert load_settings(directory=tmp_path).owner_ids == ids


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("BATCH_SIZE", "5", ["BATCH_SIZE", "'5'", "100"]),
        ("BATCH_SIZE", "lots", ["BATCH_SIZE", "'lots'", "integer"]),
        ("LOG_LEVEL", "loud", ["LOG_LEVEL", "'loud'", "silent"]),
        ("STATE_SIZE", "6", ["STATE_SIZE", "'6'", "5"]),
        ("REST_URL", "discord", ["REST_URL", "'discord'"]),
        ("OWNER_IDS", "me", ["OWNER_IDS", "'me'"]),
    ],
)
def test_a_wrong_value_is_one_line_naming_key_value_and_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, parts: list[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(directory=tmp_path)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_a_wrong_value_in_the_file_names_the_file_and_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "config.json5").write_text("{batchSize: 99999}")
    with pytest.raises(SettingsError, match=r"batchSize in .*config\.json5 is 99999"):
        load_settings(directory=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{batchSzie: 300}", r"unknown setting 'batchSzie'; did you mean 'batchSize'"),
        ("{batchSize: }", r"not a readable JSON5 file"),
        ("[]", r"one JSON5 object"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json5").write_text(content)
    with pytest.raises(SettingsError, match=message):
        load_settings(directory=tmp_path)


def test_a_named_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_FILE_NAME", "mine.json5")
    with pytest.raises(SettingsError, match=r"CONFIG_FILE_NAME is 'mine\.json5'"):
        load_settings(directory=tmp_path)


def test_secrets_do_not_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "very.secret.token")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden@host/db")
    settings = load_settings(directory=tmp_path)
    assert "secret" not in repr(settings)
    assert "hidden" not in repr(settings)
    assert reveal(settings.token) == "very.secret.token"
