"""Metrics as Prometheus reads them."""

from prometheus_client.exposition import generate_latest

from markov_shard.health.metrics import Metrics


def test_figures_are_read_when_they_are_scraped() -> None:
    metrics, stored = Metrics(), [0]
    metrics.total("markov_messages_stored", "Messages written", lambda: stored[0])
    metrics.gauge("markov_chains_open", "Chains in memory", lambda: 2)
    metrics.seconds("markov_answer_seconds", "Seconds an answer took").observe(0.0003)
    stored[0] = 7
    text = generate_latest(metrics.registry).decode()
    assert "markov_messages_stored_total 7.0" in text
    assert "markov_chains_open 2.0" in text
    assert 'markov_answer_seconds_bucket{le="0.0005"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_labelled_figures_stages_and_facts() -> None:
    metrics = Metrics()
    metrics.gauges("markov_shards", "Shards", "state", lambda: {"connected": 3, "failed": 1})
    metrics.totals("markov_errors", "Errors", "source", lambda: {"hikari": 2})
    metrics.info("markov_process", "Who", {"role": "shard"})
    stages = metrics.stages("markov_stage_seconds", "Stages")
    stages.observe("score", 0.01)
    stages.observe("score", 0.02)
    text = generate_latest(metrics.registry).decode()
    assert 'markov_shards{state="connected"} 3.0' in text
    assert 'markov_errors_total{source="hikari"} 2.0' in text
    assert 'markov_process_info{role="shard"} 1.0' in text
    assert 'markov_stage_seconds_count{stage="score"} 2.0' in text
