"""One snapshot of the database for several processes."""

from markov_shard.store.pool import Connection


async def export_snapshot(connection: Connection) -> str:
    """A name for what the caller's repeatable-read transaction sees; valid while that transaction is open."""
    name: str = await connection.fetchval("SELECT pg_export_snapshot()")
    return name


async def use_snapshot(connection: Connection, name: str) -> None:
    """Makes a repeatable-read transaction see an exported snapshot; must be its first statement."""
    await connection.execute(f"SET TRANSACTION SNAPSHOT '{name.replace(chr(39), '')}'")  # takes no parameters
