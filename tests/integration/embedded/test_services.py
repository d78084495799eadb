"""The embedded servers: shared, stopped by the last user, recovering after a crash."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from markov_shard.embedded import start_services, stop_services
from markov_shard.shared.connect import connect_redis
from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="markov-test-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user
    yield folder
    shutil.rmtree(folder)


def pids(data_dir: Path) -> list[int]:
    """The servers' processes: postmaster's and Valkey's."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        if f"-D {data_dir}/postgres" in command or f"unixsocket:{data_dir}" in command:
            found.append(int(entry.name))
    return found


async def test_several_users_share_the_servers_and_the_last_stops_them(data_dir: Path) -> None:
    first = start_services(data_dir)
    second = start_services(data_dir)
    assert first.urls == second.urls
    stop_services(first)
    assert second.urls.database
    assert second.urls.redis
    async with await Database.open(second.urls.database, size=1) as database:
        await database.ping()
    redis = await connect_redis(second.urls.redis)
    await redis.aclose()
    stop_services(second)
    assert pids(data_dir) == []


async def test_what_was_written_survives_a_crash_of_everything(data_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from markov_shard.embedded import start_services\n"
        "start_services(Path(sys.argv[1])); print('up', flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    with parent.stdout, parent.stdin:
        assert parent.stdout.readline() == "up\n"
        use = start_services(data_dir)
        assert use.urls.database
        assert use.urls.redis
        await migrate(use.urls.database)
        redis = await connect_redis(use.urls.redis)
        await redis.set("kept", "yes")
        await redis.execute_command("WAITAOF", 1, 0, 5000)  # on disk
        await redis.aclose()
        parent.kill()
        parent.wait()
    use.users.close()  # as if this process had died too
    for pid in pids(data_dir):
        os.kill(pid, signal.SIGKILL)

    use = start_services(data_dir)
    try:
        assert use.urls.database
        assert use.urls.redis
        assert await migrate(use.urls.database) == []
        redis = await connect_redis(use.urls.redis)
        assert await redis.get("kept") == b"yes"
        await redis.aclose()
    finally:
        stop_services(use)


def test_a_data_directory_with_a_long_path_still_gets_sockets(data_dir: Path) -> None:
    use = start_services(data_dir / ("x" * 120), postgres=False)
    stop_services(use)
    assert use.urls.redis is not None
    assert len(use.urls.redis) < 110
