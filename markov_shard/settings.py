"""Every setting of every role, typed and checked in one place.

Precedence: the environment, then `.env`, then the JSON5 file (see `settings_file`). Environment names are the
field names in capitals, but for TZ; the file uses camelCase. `docs/settings.md` is generated from these types.
"""

import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from markov_shard.errors import SettingsError
from markov_shard.settings_file import Environment, SettingsFile, find_settings_file


def _split_ids(value: object) -> object:
    """Accepts `1,2 3` from the environment and `["1", "2"]` from the file."""
    if isinstance(value, str):
        return [part for part in re.split(r"[,\s]+", value.strip("[] \t\n")) if part]
    return value


def _split_words(value: object) -> object:
    """Accepts `one, two words` from the environment and a list from the file."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _blank_is_none(value: object) -> object:
    """An empty variable means "not set": compose files pass unset variables on as empty text."""
    return None if isinstance(value, str) and not value.strip() else value


def _known_timezone(value: object) -> object:
    """`Europe/Berlin`, or `:Europe/Berlin` as some systems write it."""
    name = value.strip().removeprefix(":") if isinstance(value, str) else value
    if name == "UTC" or not isinstance(name, str):
        return name
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone's name such as Europe/Berlin or UTC") from None
    return name


def _checked_token(token: SecretStr) -> SecretStr:
    """Found here, a mistaken token is one line at the start instead of a refusal in every process."""
    if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token.get_secret_value()):
        raise ValueError("a Discord bot token is three parts with dots between")
    return token


SnowflakeId = Annotated[int, Field(ge=0, lt=2**63)]
SnowflakeIds = Annotated[frozenset[SnowflakeId], NoDecode, BeforeValidator(_split_ids)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_blank_is_none)]
Token = Annotated[
    Annotated[SecretStr, AfterValidator(_checked_token)] | None,
    BeforeValidator(_blank_is_none),
]
LongSecret = Annotated[Annotated[SecretStr, Field(min_length=16)] | None, BeforeValidator(_blank_is_none)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_words)]
Percentage = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
LogLevel = Literal["silent", "error", "warn", "info", "debug", "trace"]


class Settings(BaseSettings):
    """One immutable object handed to whatever needs a setting; build it with `load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # Discord
    token: Token = Field(None, description="The bot's token; without one the local stand-in is used")
    rest_url: str = Field(
        "https://discord.com/api/v10",
        pattern=r"^https?://\S+$",
        description="Base URL of Discord's REST API, of a proxy for it, or of the local stand-in",
    )
    rest_requests_per_second: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="Requests a second that all processes together keep to; 0: whatever REST_URL names keeps the limit."
        " Empty: 50 where that is Discord itself, else 0",
    )
    slash_command_name: str = Field(
        "mark", pattern=r"^[a-z0-9_-]{1,32}$", description="Name of the slash command that answers"
    )
    message_command_prefix: str = Field(
        "!mark", pattern=r"^\S(.{0,30}\S)?$", description="What a message starts with that is a command to the bot"
    )
    activity: str = Field("/help", max_length=128, description="What the bot's presence shows")
    owner_ids: SnowflakeIds = Field(frozenset(), description="Users who may do everything, comma-separated IDs")
    user_role_ids: SnowflakeIds = Field(
        frozenset(),
        description="When set, only members with one of these roles (and moderators) may generate",
    )
    response_channel_ids: SnowflakeIds = Field(
        frozenset(), description="When set, mentions of the bot are answered in these channels only"
    )
    dev_guild_id: Annotated[SnowflakeId | None, BeforeValidator(_blank_is_none)] = Field(
        None, description="Register slash commands in this guild only, where they appear at once"
    )

    # The chain
    state_size: int = Field(2, ge=1, le=5, description="Tokens a state is made of: higher repeats people more")
    max_tries: int = Field(1000, ge=1, le=100_000, description="Candidates tried for one answer at most")
    min_score: int = Field(10, ge=0, le=1_000_000, description="Score from which an answer is good enough")
    answer_budget_ms: float = Field(
        2, gt=0, le=1000, description="Milliseconds of computing after which the best candidate so far is answered with"
    )
    prompt_tries: int = Field(
        12, ge=0, le=1000, description="Candidates for an answer to a mention; the one most to the point is taken"
    )
    attachment_chance: Percentage = Field(
        Decimal(10), description="Chance in percent that an answer carries a learned attachment"
    )
    blocked_words: Words = Field(
        (), description="Words or phrases that are never answered with, separated by commas; case does not matter"
    )

    # Limits
    member_cooldown_seconds: float = Field(
        0, ge=0, le=3600, description="Seconds a member waits between two answers in a channel; 0: none"
    )
    channel_cooldown_seconds: float = Field(
        0, ge=0, le=3600, description="Seconds a channel waits between two answers, whoever asks; 0: none"
    )
    ignored_channel_ids: SnowflakeIds = Field(
        frozenset(), description="Channels that are never learned from, whoever asks for it"
    )
    max_messages_per_guild: int = Field(
        0, ge=0, description="Messages kept of a guild at most, the oldest unlearned first; 0: no limit"
    )
    retention_days: int = Field(
        0, ge=0, le=36_500, description="Days after which a message is unlearned; 0: kept until it is deleted"
    )
    guild_purge_days: float = Field(
        7, ge=0, le=365, description="Days after which everything of a guild that removed the bot is deleted"
    )

    # Learning and caches
    batch_size: int = Field(5000, ge=100, le=10_000, description="Messages written to Postgres at once at most")
    chain_save_debounce_ms: int = Field(
        1000, ge=1000, le=30_000, description="Milliseconds a learned message may wait before it is written"
    )
    chain_cache_memory_limit: int = Field(
        256, ge=64, le=2048, description="Megabytes of chain images a process keeps open"
    )
    chain_files_limit: int = Field(
        4096,
        ge=64,
        le=1 << 20,
        description="Megabytes of chain image files kept in DATA_DIR, which a host's processes share",
    )
    worker_pool_size: int = Field(
        2, ge=1, le=16, description="Processes for CPU work, of each shard process and worker"
    )
    job_memory_limit: int = Field(
        4096, ge=256, le=1_048_576, description="Megabytes that one training or compile job may take in a worker"
    )
    max_queued_jobs: int = Field(
        1000, ge=1, le=1_000_000, description="Trainings of one lane that may wait; further ones are refused"
    )

    # Rollout: first values of the flags, which `markov-shard flags` changes for the whole fleet while it runs
    enable_markov_store: bool = Field(
        True, description="Answer from compiled chain images; off: from a chain counted from the stored messages"
    )
    enable_worker_pool: bool = Field(True, description="Do CPU work in other processes")
    enable_batch_optimization: bool = Field(
        True, description="Write learned messages in batches; off: one statement a message"
    )
    enable_performance_monitoring: bool = Field(
        True, description="Measure how long each stage of an answer takes, and log slow replies"
    )
    optimization_rollout_percentage: Percentage = Field(
        Decimal(100), description="Share of guilds, in percent, that the enabled optimizations are for"
    )
    optimization_force_guild_ids: SnowflakeIds = Field(
        frozenset(), description="Guilds that the enabled optimizations are for at any percentage"
    )

    # The fleet
    database_url: OptionalSecret = Field(
        None, description="PostgreSQL 15 or newer; without it an embedded server under DATA_DIR is used"
    )
    redis_url: OptionalSecret = Field(
        None,
        description="Redis 7 or Valkey: `redis://`, `unix://`, `redis+cluster://` or `redis+sentinel://`; without it an"
        " embedded server under DATA_DIR is used",
    )
    data_dir: Path = Field(Path(".markov-shard"), description="Embedded servers, image files and logs")
    shard_count: int = Field(
        0,
        ge=0,
        le=16_384,
        description="Gateway shards of the whole bot at its first start; 0 takes Discord's recommendation. Later:"
        " `markov-shard reshard`",
    )
    process_name: str = Field(
        "",
        max_length=64,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Name of this process; empty: host and PID",
    )
    http_host: str = Field("127.0.0.1", description="Address the health and status endpoints bind to")
    http_port: int = Field(8400, ge=0, le=65_535, description="Their port; 0 chooses a free one")
    status_token: LongSecret = Field(
        None, description="Password for changing things on the status page; without it, it only shows"
    )

    # Logging
    timezone: Annotated[str, BeforeValidator(_known_timezone)] = Field(
        "UTC", validation_alias=AliasChoices("timezone", "TZ"), description="Time zone of the times in log lines"
    )
    log_level: LogLevel = Field("info", description="Least severe log lines shown; message text only at trace")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, JSON elsewhere")
    slow_reply_ms: float = Field(
        50,
        ge=0,
        le=60_000,
        description="Milliseconds from an event to its reply from which the reply is logged as slow, with its stages,"
        " where ENABLE_PERFORMANCE_MONITORING is on; 0: never",
    )

    _notes: tuple[str, ...] = PrivateAttr(())

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should be told of where the settings came from, one line each."""
        return self._notes

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, `.env`; `load_settings` adds the file behind them."""
        return (init_settings, env_settings, dotenv_settings)


def load_settings(overrides: Mapping[str, object] | None = None, *, directory: Path | None = None) -> Settings:
    """Reads the settings for a start in `directory` (by default the current one).

    `overrides` are command-line options by field name and win over everything; None means not given.
    Raises SettingsError with one line naming key, value and what is allowed.
    """
    directory = directory or Path.cwd()
    dotenv = directory / ".env"
    environment = Environment.read(dotenv)
    file = find_settings_file(directory, environment, {to_camel(name): name for name in Settings.model_fields})

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *sources: PydanticBaseSettingsSource,
            **named: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            first = super().settings_customise_sources(settings_cls, *sources, **named)
            return (*first, *file.sources(settings_cls))

    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        settings = Loaded(_env_file=dotenv, **given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_explain(error, file)) from None
    known = {environment_name(name): name for name in Settings.model_fields}
    settings._notes = (*file.notes, *environment.notes(known, file))  # noqa: SLF001 - ours, set once
    return settings


def environment_name(field: str) -> str:
    """The environment variable of a field."""
    return "TZ" if field == "timezone" else field.upper()


def _explain(error: ValidationError, file: SettingsFile) -> str:
    problem = error.errors()[0]
    name = "timezone" if problem["loc"][0] == "TZ" else str(problem["loc"][0])
    field = Settings.model_fields[name]
    shown = "(hidden)" if "Secret" in str(field.annotation) else repr(problem["input"])
    from_file = name in file.values and file.values[name] == problem["input"]
    key = f"{to_camel(name)} in {file.path}" if from_file else environment_name(name)
    message = problem["msg"].removeprefix("Value error, ")
    allowed = message[0].lower() + message[1:]
    return f"setting {key} is {shown}: {allowed} ({field.description})"


def reveal(secret: SecretStr | None) -> str | None:
    """The secret's text, for the one place that needs it."""
    return secret.get_secret_value() if secret else None
