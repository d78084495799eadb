"""Whether Postgres answers, asked now and then: a process with nothing to store would not notice by itself."""

import asyncio

from markov_shard.errors import DatabaseUnavailableError
from markov_shard.health.verdict import Finding, Verdict
from markov_shard.store.pool import Database

_EVERY = 2.0
_PATIENCE = 5.0


class DatabaseWatch:
    """Asks Postgres every two seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trouble: str | None = None

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Asks once."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._database.ping()
        except DatabaseUnavailableError as error:
            self._trouble = str(error)
        except TimeoutError:
            self._trouble = (
                f"Postgres at {self._database.place} gave no answer or no free connection in {_PATIENCE:g} s"
            )
        else:
            self._trouble = None

    def finding(self) -> Finding:
        """Without Postgres a process is degraded: it answers from memory, and keeps what it learns until it is back."""
        if self._trouble is not None:
            return Finding(Verdict.DEGRADED, self._trouble)
        return Finding(Verdict.OK, "answers")
