"""Per-process health: the verdict, its HTTP endpoints and the metrics."""

from markov_shard.health.server import serve_health
from markov_shard.health.verdict import Check, Finding, Health, Verdict

__all__ = ["Check", "Finding", "Health", "Verdict", "serve_health"]
