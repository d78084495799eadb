"""Applies the plain SQL files of `migrations/`, forward and back.

Our own runner and not a tool: it is a page of code on the driver we already have, works over a unix socket,
and an advisory lock lets any number of processes start at once. The tools that fit plain SQL either need a
second driver (yoyo, dbmate's own binary) or bring an ORM (alembic).
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from markov_shard.errors import SchemaError
from markov_shard.store.pool import Connection, database_errors, place_of

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.up\.sql")
_LOCK = 0x6D61726B6F76  # "markov": the advisory lock that all migrating processes of a database share


@dataclass(frozen=True)
class Migration:
    """One step of the schema: `up` takes it, `down` takes it back."""

    version: int
    name: str
    up: str
    down: str


def read_migrations(folder: Path | None = None) -> Sequence[Migration]:
    """All migrations in order. Raises SchemaError for a gap or a missing way back."""
    folder = folder or _folder()
    found = []
    for path in sorted(folder.glob("*.up.sql")):
        match = _NAME.fullmatch(path.name)
        back = path.with_name(path.name.replace(".up.", ".down."))
        if not match or not back.is_file():
            raise SchemaError(f"{path}: not named NNNN_words.up.sql, or its .down.sql is missing")
        up, down = path.read_text(encoding="utf-8"), back.read_text(encoding="utf-8")
        found.append(Migration(int(match["version"]), match["name"], up, down))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise SchemaError(f"{folder}: migrations must be numbered 0001, 0002, … without a gap")
    return found


def _folder() -> Path:
    packaged = Path(__file__).parent.parent / "_migrations"  # in an installed wheel
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "migrations"


@asynccontextmanager
async def _locked(url: str) -> AsyncIterator[tuple[Connection, int]]:
    """The one connection that may migrate now, and the version the schema stands at."""
    with database_errors(place_of(url)):
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations ("
                " version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            yield connection, await _version(connection)
        finally:
            await connection.close()


async def _version(connection: Connection) -> int:
    version: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migrations")
    return version


def _refuse_newer(version: int, known: Sequence[Migration], place: str) -> None:
    if version > len(known):
        raise SchemaError(
            f"the database at {place} is at migration {version}, newer than this program's {len(known)}: "
            "run the newer program, or migrate back with it first"
        )


async def migrate(url: str, *, to: int | None = None, folder: Path | None = None) -> list[str]:
    """Brings the database to version `to` (the newest by default), forward or back; each step is one transaction.

    Returns the names of the steps taken, `-` before those taken back.
    Raises SchemaError when the database is newer than the code, DatabaseUnavailableError when out of reach.
    """
    known = read_migrations(folder)
    target = len(known) if to is None else to
    if not 0 <= target <= len(known):
        raise SchemaError(f"there is no migration {target}: the newest is {len(known)}")
    taken = []
    async with _locked(url) as (connection, version):
        _refuse_newer(version, known, place_of(url))
        for step in known[version:target]:
            async with connection.transaction():
                await connection.execute(step.up)
                await connection.execute(
                    "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", step.version, step.name
                )
            taken.append(f"{step.version:04}_{step.name}")
        for step in reversed(known[target:version]):
            async with connection.transaction():
                await connection.execute(step.down)
                await connection.execute("DELETE FROM schema_migrations WHERE version = $1", step.version)
            taken.append(f"-{step.version:04}_{step.name}")
    return taken


async def check_schema(connection: Connection, place: str) -> None:
    """Raises SchemaError unless the database stands where this code expects it."""
    known = read_migrations()
    try:
        version = await _version(connection)
    except asyncpg.UndefinedTableError:
        version = 0
    _refuse_newer(version, known, place)
    if version < len(known):
        raise SchemaError(
            f"the database at {place} is at migration {version} of {len(known)}: run `markov-shard migrate`"
        )
