"""A day of questions for CDN URLs, by two processes with a clock of the test's own."""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from markov_shard.shared.cdn_urls import LIFE_SECONDS, MARGIN_SECONDS, CdnUrls

GUILD = 81384788765712384
DAY = 86_400.0
URLS = 50
QUESTIONS = 1000


class Day:
    """The time, and Discord, which notes when each file's URL was refreshed."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.life = DAY
        self.refreshed: dict[str, list[float]] = defaultdict(list)

    async def refresh(self, urls: Sequence[str]) -> Mapping[str, str | None]:
        for url in urls:
            self.refreshed[url.partition("?")[0]].append(self.now)
        return {url: f"{url.partition('?')[0]}?ex={int(self.now + self.life):x}&" for url in urls}


async def nothing_goes(guild_id: int, url: str) -> None:
    raise AssertionError(url)


@pytest.fixture
def day() -> Day:
    return Day()


@pytest.fixture
def processes(day: Day) -> list[CdnUrls]:
    server = FakeServer()
    return [
        CdnUrls(FakeAsyncRedis(server=server), day.refresh, holder=name, on_gone=nothing_goes, clock=lambda: day.now)
        for name in ("one", "two")
    ]


def url(number: int) -> str:
    return f"https://cdn.discordapp.com/attachments/1/{number}/cat.png?ex=1&"


def questions() -> Iterator[int]:
    """Files as they are asked for by Zipf's law with exponent 1."""
    weights = list(itertools.accumulate(1 / rank for rank in range(1, URLS + 1)))
    return iter(random.Random(1).choices(range(URLS), cum_weights=weights, k=QUESTIONS))


async def test_a_url_is_refreshed_once_a_period_by_all_processes_together(day: Day, processes: list[CdnUrls]) -> None:
    for number, which in enumerate(questions()):
        day.now += 1.5 * DAY / QUESTIONS
        assert await processes[number % 2].fresh(GUILD, url(which))
    asked = [times for times in day.refreshed.values() if len(times) > 1]
    assert len(asked) > URLS / 2
    assert all(later - earlier >= LIFE_SECONDS for times in asked for earlier, later in itertools.pairwise(times))
    hits = sum(process.outcomes["cached"] for process in processes)
    assert hits + sum(map(len, day.refreshed.values())) == QUESTIONS
    assert hits >= 0.9 * QUESTIONS


async def test_a_url_is_handed_out_until_its_own_expiry_and_a_margin(day: Day, processes: list[CdnUrls]) -> None:
    one, two = processes
    day.life = 3600.0
    fresh = await one.fresh(GUILD, url(1))
    day.now += 3600 - MARGIN_SECONDS - 1
    assert await two.fresh(GUILD, url(1)) == fresh
    day.now += 1
    assert await two.fresh(GUILD, url(1)) != fresh
    assert len(day.refreshed[url(1).partition("?")[0]]) == 2
