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
