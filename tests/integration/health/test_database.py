"""An idle process notices that Postgres is away, and that it is back."""

from urllib.parse import urlsplit

import asyncpg

from markov_shard.health.database import DatabaseWatch
from markov_shard.health.verdict import Verdict
from markov_shard.store.pool import Database


async def test_postgres_away_is_degraded_and_back_is_ok(migrated_url: str, postgres_url: str) -> None:
    async with await Database.open(migrated_url, size=2) as database:
        watch = DatabaseWatch(database)
        await watch.look()
        assert watch.finding().verdict is Verdict.OK

        name = urlsplit(migrated_url).path.removeprefix("/")
        server = await asyncpg.connect(postgres_url)
        try:
            await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # the pool comes back at once
            await server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name
            )
            await server.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
            await watch.look()
            assert watch.finding().verdict is Verdict.DEGRADED
            assert "Postgres at" in watch.finding().text

            await server.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")
            await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        finally:
            await server.close()
        await watch.look()
        assert watch.finding().verdict is Verdict.OK
