"""A real Prometheus beside a fleet under test, with the shipped rules on a faster clock."""

import asyncio
import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.fleet.processes import Fleet, free_port

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
FASTER = 20
"""How many times shorter `for:` and the ranges of the rules are here than in earnest; thresholds are the same."""


def faster(rules: str) -> str:
    """The rules with every duration shortened."""

    def shortened(seconds: int) -> str:
        return f"{max(3, seconds // FASTER)}s" if seconds else "0s"

    units = {"s": 1, "m": 60, "h": 3600}
    rules = re.sub(r"\[(\d+)([smh])\]", lambda m: f"[{shortened(int(m[1]) * units[m[2]])}]", rules)
    return re.sub(
        r"^( +for: )(\d+)([smh])$", lambda m: m[1] + shortened(int(m[2]) * units[m[3]]), rules, flags=re.MULTILINE
    )


class Prometheus:
    """Scrapes the processes it is told of, each second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def scrape(self, urls: Iterable[str]) -> None:
        """Takes these processes as targets from now on."""
        targets = [{"targets": sorted(urlsplit(url).netloc for url in urls)}]
        (self._folder / "targets.new").write_text(json.dumps(targets), encoding="utf-8")
        (self._folder / "targets.new").replace(self._folder / "targets.json")

    async def watch(self, fleet: Fleet) -> None:
        """Waits for the fleet, and takes its processes of now as targets."""
        await fleet.ready()
        while True:
            processes = (await fleet.status())["processes"]
            if {process["name"] for process in processes} == fleet.processes.keys() and await _all_live(processes):
                break  # a process that was killed and started again is known by its old address for some seconds
            await asyncio.sleep(0.2)
        self.scrape(process["url"] for process in processes)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Prometheus"]:
        """Runs it while the block lasts."""
        program = shutil.which("prometheus")
        if program is None:
            pytest.fail("prometheus is not installed: tests/install-outside installs it")
        for path in RULES.glob("*.yml"):
            (self._folder / path.name).write_text(faster(path.read_text(encoding="utf-8")), encoding="utf-8")
        self.scrape([])
        (self._folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [alerts.yml, recording.yml]\n"
            "scrape_configs:\n"
            "  - job_name: markov-shard\n"
            "    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]\n",
            encoding="utf-8",
        )
        with (self._folder / "prometheus.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                program,
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                stdout=log,
                stderr=log,
            )
        try:
            yield self
        finally:
            process.terminate()
            await process.wait()

    async def ask(self, path: str, **query: str) -> dict[str, object]:
        """The `data` of an answer of its API; empty while it does not answer."""
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"{self.url}/api/v1/{path}", params=query) as response:
                    found: dict[str, object] = (await response.json())["data"] if response.status == 200 else {}
                    return found
            except aiohttp.ClientError:
                return {}

    async def value(self, expression: str) -> float | None:
        """A query's one value now; None when there is none."""
        result = (await self.ask("query", query=expression)).get("result")
        return float(result[0]["value"][1]) if isinstance(result, list) and result else None

    async def firing(self) -> set[str]:
        """The names of alerts that fire now."""
        alerts = (await self.ask("alerts")).get("alerts", [])
        assert isinstance(alerts, list)
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    async def wait_for(self, *names: str, seconds: float = 90.0) -> None:
        """Until each of these has fired, at the same time or not."""
        left = set(names)

        def all_have(firing: set[str]) -> bool:
            left.difference_update(firing)
            return not left

        await self._until(all_have, f"{names} should fire", seconds)

    async def wait_until_clear(self, *names: str, seconds: float = 120.0) -> None:
        """Until none of these fires; without names, until nothing does."""
        await self._until(
            lambda firing: not (firing & set(names) if names else firing), f"{names or 'all'} should clear", seconds
        )

    async def _until(self, reached: object, what: str, seconds: float) -> None:
        assert callable(reached)
        firing: set[str] = set()
        try:
            async with asyncio.timeout(seconds):
                while not reached(firing := await self.firing()):
                    await asyncio.sleep(0.5)
        except TimeoutError:
            log = (self._folder / "prometheus.log").read_text(encoding="utf-8")[-2000:]
            pytest.fail(f"{what}; firing: {sorted(firing)}\n{log}")


async def _all_live(processes: Iterable[dict[str, str]]) -> bool:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        try:
            for process in processes:
                async with session.get(f"{process['url']}/livez") as response:
                    if response.status != 200:
                        return False
        except (aiohttp.ClientError, TimeoutError):
            return False
        return True
