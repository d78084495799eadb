"""Where a setting comes from, and what a wrong one says."""

from decimal import Decimal
from pathlib import Path

import pytest

from markov_shard.errors import SettingsError
from markov_shard.settings import Settings, environment_name, load_settings, reveal
from markov_shard.settings_page import settings_page


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(environment_name(name), raising=False)
    for name in ("CONFIG_DIR", "CONFIG_FILE_NAME"):
        monkeypatch.delenv(name, raising=False)


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
        ("TZ", "Mars/Base", ["TZ", "'Mars/Base'", "Europe/Berlin"]),
        ("ENABLE_WORKER_POOL", "perhaps", ["ENABLE_WORKER_POOL", "'perhaps'", "boolean"]),
        ("OPTIMIZATION_ROLLOUT_PERCENTAGE", "101", ["OPTIMIZATION_ROLLOUT_PERCENTAGE", "'101'", "100"]),
        ("OPTIMIZATION_ROLLOUT_PERCENTAGE", "0.001", ["OPTIMIZATION_ROLLOUT_PERCENTAGE", "2 decimal places"]),
        ("MESSAGE_COMMAND_PREFIX", " ", ["MESSAGE_COMMAND_PREFIX"]),
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


@pytest.mark.parametrize("token", ["abc", "a.b", "a..c", "a.b.c.d", "a b.c.d"])
def test_a_mistaken_token_is_one_line_that_hides_it(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", token)
    with pytest.raises(SettingsError, match=r"^setting TOKEN is \(hidden\): a Discord bot token is three parts"):
        load_settings(directory=tmp_path)


def test_secrets_do_not_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "very.secret.token")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden@host/db")
    settings = load_settings(directory=tmp_path)
    assert "secret" not in repr(settings)
    assert "hidden" not in repr(settings)
    assert reveal(settings.token) == "very.secret.token"


def test_the_environment_wins_over_the_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json5").write_text('{token: "from.the.file", timezone: "Asia/Tokyo", minScore: 3}')
    monkeypatch.setenv("TZ", "Europe/Berlin")
    (tmp_path / ".env").write_text("TOKEN=from.the.environment\n")
    settings = load_settings(directory=tmp_path)
    assert (settings.timezone, reveal(settings.token)) == ("Europe/Berlin", "from.the.environment")
    assert settings.min_score == 3
    assert settings.notes == (
        f"set in the environment and in {tmp_path / 'config.json5'}, the environment wins: TOKEN, TZ",
    )


@pytest.mark.parametrize(
    ("variables", "files", "read"),
    [
        ({}, ["config/config.json"], "config/config.json"),
        ({}, ["config.json5", "config/config.json"], "config.json5"),
        ({}, ["config.json", "config.json5"], "config.json"),
        ({"CONFIG_DIR": "elsewhere"}, ["config.json", "elsewhere/config.json5"], "elsewhere/config.json5"),
        ({"CONFIG_FILE_NAME": "mine"}, ["config.json", "mine.json5"], "mine.json5"),
        ({"CONFIG_FILE_NAME": "mine.json"}, ["mine.json5"], "mine.json5"),
        ({"CONFIG_FILE_NAME": "mine.conf"}, ["mine.conf"], "mine.conf"),
    ],
)
def test_where_the_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], files: list[str], read: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for number, name in enumerate(files):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{{minScore: {100 + number}}}")
    settings = load_settings(directory=tmp_path)
    assert settings.min_score == 100 + files.index(read)
    unread = [name for name in files if name != read and not variables]
    assert settings.notes == tuple(f"{tmp_path / name} is not read, since {tmp_path / read} is" for name in unread)


def test_a_variable_that_nearly_is_a_setting_is_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNERS_IDS", "1")
    assert load_settings(directory=tmp_path).notes == (
        "environment variable OWNERS_IDS is no setting; did you mean OWNER_IDS?",
    )


def test_a_settings_file_of_the_single_process_bot_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text("""{
        "token": "a.b.c", "messageCommandPrefix": "!bot", "slashCommandName": "bot", "activity": "\\"!bot help\\"",
        "ownerIds": ["82684276755136512"], "userRoleIds": ["734548250895319070"], "timezone": "America/Chicago",
        "logLevel": "trace", "stateSize": 3, "maxTries": 2000, "minScore": 15, "devGuildId": "1234567890",
        "responseChannelIds": ["734548250895319070"], "enableMarkovStore": true, "enableWorkerPool": false,
        "workerPoolSize": 4, "enableBatchOptimization": true, "batchSize": 2000, "chainCacheMemoryLimit": 128,
        "chainSaveDebounceMs": 5000, "optimizationRolloutPercentage": 12.5,
        "optimizationForceGuildIds": ["1", "2"], "enablePerformanceMonitoring": false
    }""")
    settings = load_settings(directory=tmp_path)
    assert settings.optimization_rollout_percentage == Decimal("12.5")
    assert settings.optimization_force_guild_ids == {1, 2}
    assert settings.response_channel_ids == {734548250895319070}
    assert (settings.timezone, settings.activity) == ("America/Chicago", '"!bot help"')
    assert settings.notes == ()


def test_the_settings_page_is_what_the_types_say() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "run `make docs`"
