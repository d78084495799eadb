"""How a job stands, told from its chunks."""

from datetime import UTC, datetime, timedelta

import pytest

from markov_shard.store.jobs import Job, JobState
from markov_shard.store.ledger import CommittedChunk
from markov_shard.training.progress import progress_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def job(state: JobState = "running", **changes: object) -> Job:
    values: dict[str, object] = {
        "guild_id": 1, "job_id": 2, "kind": "import", "lane": "imports", "state": state, "payload": {},
        "generation": None, "fence": 1, "deliveries": 1, "messages": 900, "skipped": 100, "error": None,
        "requested_by": None, "created_at": START, "started_at": START, "finished_at": None,
    }  # fmt: skip
    return Job(**(values | changes))  # type: ignore[arg-type]


def chunk(number: int, age: float, **position: object) -> CommittedChunk:
    return CommittedChunk(number, 90, 10, position, age)


def test_rate_and_time_left_come_from_the_latest_chunks() -> None:
    chunks = [chunk(n, age, fraction=0.1 * (n + 1)) for n, age in enumerate([4.0, 3.0, 2.0, 1.0, 0.0])]
    progress = progress_of(job(), chunks)
    assert progress.stage == "learning"
    assert progress.fraction == pytest.approx(0.5)
    assert progress.rate == pytest.approx(100)
    assert progress.seconds_left == pytest.approx(5)


def test_a_job_that_stands_still_slows_down() -> None:
    moving = progress_of(job(), [chunk(0, 2.0, fraction=0.1), chunk(1, 1.0, fraction=0.2)])
    still = progress_of(job(), [chunk(0, 101.0, fraction=0.1), chunk(1, 100.0, fraction=0.2)])
    assert moving.rate is not None
    assert still.rate is not None
    assert still.rate < moving.rate / 50


def test_before_the_first_chunk_nothing_is_claimed() -> None:
    progress = progress_of(job(messages=0, skipped=0), [])
    assert (progress.stage, progress.fraction, progress.rate, progress.seconds_left) == ("checking", None, None, None)
    assert progress_of(job("queued"), []).stage == "waiting"


def test_a_job_that_publishes_says_so() -> None:
    assert progress_of(job(payload={"stage": "publishing"}), [chunk(0, 1.0, fraction=1.0)]).stage == "publishing"


def test_a_finished_jobs_rate_is_over_all() -> None:
    progress = progress_of(job("done", finished_at=START + timedelta(seconds=10)), [chunk(0, 1.0, fraction=1.0)])
    assert (progress.stage, progress.fraction, progress.rate) == ("finished", 1.0, 100.0)


def test_a_history_says_which_channels_are_read() -> None:
    position = {"done": ["5", "6"], "channels": 4, "current": "7", "fraction": 0.6}
    chunks = [chunk(0, 3.0, **position, channel_fraction=0.2), chunk(1, 1.0, **position, channel_fraction=0.4)]
    channels = progress_of(job(payload={"refused": ["6"]}), chunks).channels
    assert channels is not None
    assert (channels.done, channels.total, channels.current, channels.fraction) == ((5, 6), 4, 7, 0.4)
    assert channels.seconds_left == pytest.approx(5.0)
