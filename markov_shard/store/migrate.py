"""Applies the plain SQL files of `migrations/`, forward and back.

Our own runner and not a tool: it is a page of code on the driver we already have, works over a unix socket,
and an advisory lock lets any number of processes start at once. The tools that fit plain SQL either need a
second driver (yoyo, dbmate's own binary) or bring an ORM (alembic).

A database newer than a program serves it still, so that old and new processes run side by side during an update,
unless a step says otherwise in a line `-- works-from: NNNN`: who knows less than migration NNNN cannot run on it.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import asyncpg

from markov_shard.errors import SchemaError
from markov_shard.store.pool import Connection, database_errors, place_of

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.up\.sql")
_WORKS_FROM = re.compile(r"^-- works-from: (?P<version>\d{4})$", re.MULTILINE)
_LOCK = 0x6D61726B6F76  # "markov": the advisory lock that all migrating processes of a database share


@dataclass(frozen=True)
class Migration:
    """One step of the schema: `up` takes it, `down` takes it back."""

    version: int
    name: str
    up: str
    down: str
    works_from: int = 0
    """The newest migration a program must know to run on the schema this step makes; 0: any program does."""


def read_migrations(folder: Path | None = None) -> Sequence[Migration]:
    """All migrations in order; numbers may have gaps. Raises SchemaError for one used twice or a missing way back."""
    folder = folder or _folder()
    found = []
    for path in sorted(folder.glob("*.up.sql")):
        match = _NAME.fullmatch(path.name)
        back = path.with_name(path.name.replace(".up.", ".down."))
        if not match or not back.is_file():
            raise SchemaError(f"{path}: not named NNNN_words.up.sql, or its .down.sql is missing")
        up, down = path.read_text(encoding="utf-8"), back.read_text(encoding="utf-8")
        stated = _WORKS_FROM.search(up)
        works_from = int(stated["version"]) if stated else 0
        if works_from > int(match["version"]):
            raise SchemaError(f"{path}: works from a later migration than itself, {works_from:04}")
        found.append(Migration(int(match["version"]), match["name"], up, down, works_from))
    for earlier, later in pairwise(found):
        if earlier.version == later.version:
            raise SchemaError(f"{folder}: two migrations have the number {later.version:04}")
    return found


def _folder() -> Path:
    packaged = Path(__file__).parent.parent / "_migrations"  # in an installed wheel
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "migrations"


@asynccontextmanager
async def _locked(url: str) -> AsyncIterator[tuple[Connection, Mapping[int, int]]]:
    """The one connection that may migrate now, and the migrations that the database has, as `_applied`."""
    with database_errors(place_of(url)):
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations ("
                " version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());"
                "ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS works_from integer NOT NULL DEFAULT 0"
            )
            yield connection, await _applied(connection)
        finally:
            await connection.close()


async def _applied(connection: Connection) -> Mapping[int, int]:
    """What a program must know (`works_from`) by each step taken; the column came later than the table."""
    rows = await connection.fetch(
        "SELECT version, coalesce((to_jsonb(taken) ->> 'works_from')::integer, 0) AS works_from"
        " FROM schema_migrations AS taken"
    )
    return {row["version"]: row["works_from"] for row in rows}


def _refuse_newer(applied: Mapping[int, int], known: Sequence[Migration], place: str) -> None:
    """Steps that this program does not know are fine where they say so: an update is under way."""
    newest = known[-1].version
    version = max((step for step, works_from in applied.items() if step > newest and works_from > newest), default=0)
    if version:
        raise SchemaError(
            f"the database at {place} is at migration {version}, newer than this program's {newest} and not for it: "
            "run the newer program, or migrate back with it first"
        )


async def migrate(url: str, *, to: int | None = None, folder: Path | None = None) -> list[str]:
    """Brings the database to version `to` (the newest by default), forward or back; each step is one transaction.

    A step that is missing below the database's version, as after a branch was merged, is taken too.
    Returns the names of the steps taken, `-` before those taken back.
    Raises SchemaError when the database is too new for the code, DatabaseUnavailableError when out of reach.
    """
    known = read_migrations(folder)
    target = known[-1].version if to is None else to
    if target not in {0, *(step.version for step in known)}:
        raise SchemaError(f"there is no migration {target}: the newest is {known[-1].version}")
    taken = []
    async with _locked(url) as (connection, applied):
        _refuse_newer(applied, known, place_of(url))
        for step in known:
            if step.version <= target and step.version not in applied:
                async with connection.transaction():
                    await connection.execute(step.up)
                    await connection.execute(
                        "INSERT INTO schema_migrations (version, name, works_from) VALUES ($1, $2, $3)",
                        step.version,
                        step.name,
                        step.works_from,
                    )
                taken.append(f"{step.version:04}_{step.name}")
        for step in reversed(known):
            if step.version > target and step.version in applied:
                async with connection.transaction():
                    await connection.execute(step.down)
                    await connection.execute("DELETE FROM schema_migrations WHERE version = $1", step.version)
                taken.append(f"-{step.version:04}_{step.name}")
    return taken


async def check_schema(connection: Connection, place: str) -> None:
    """Raises SchemaError unless the database stands where this code expects it."""
    known = read_migrations()
    try:
        applied = await _applied(connection)
    except asyncpg.UndefinedTableError:
        applied = {}
    _refuse_newer(applied, known, place)
    missing = [step.version for step in known if step.version not in applied]
    if missing:
        raise SchemaError(
            f"the database at {place} lacks migration {missing[0]:04}"
            f"{f' and {len(missing) - 1} more' if missing[1:] else ''}: run `markov-shard migrate`"
        )
