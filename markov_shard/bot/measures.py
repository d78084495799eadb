"""The figures of a shard process: is it connected, is it fast, does it learn."""

from collections.abc import Mapping
from typing import Any

from markov_shard.bot.hosting import Hosting
from markov_shard.bot.timing import ReplyClock
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.registry import Guilds
from markov_shard.health.metrics import Metrics


def measure_gateway(metrics: Metrics, hosting: Hosting) -> None:
    """Connections to Discord and what comes over them; the only label with a shard's ID is that of its latency."""
    metrics.gauges("markov_shards", "Shards this process owns, by state", "state", lambda: shard_states(hosting))
    metrics.gauge("markov_shards_connected", "Shards connected to Discord", lambda: shard_states(hosting)["connected"])
    metrics.gauges(
        "markov_gateway_latency_seconds", "Time to a heartbeat's acknowledgement", "shard", lambda: _latencies(hosting)
    )
    metrics.gauge(
        "markov_gateway_oldest_ack_seconds", "Age of the oldest heartbeat acknowledgement", lambda: _oldest_ack(hosting)
    )
    metrics.totals("markov_events", "Gateway events received", "event", lambda: hosting.events)
    metrics.total("markov_gateway_resumes", "Sessions resumed", lambda: hosting.resumes)
    metrics.total("markov_gateway_identifies", "IDENTIFYs sent", lambda: hosting.identifies)
    metrics.total("markov_gateway_zombies", "Connections whose heartbeats went unanswered", lambda: hosting.zombies)


def measure_learning(metrics: Metrics, learner: Learner, guilds: Guilds, opener: ChainOpener) -> None:
    """The way of messages into chains and storage, and of chains into memory."""
    gauge, total = metrics.gauge, metrics.total
    total("markov_messages_learned", "Messages taken into chains, replays included", lambda: learner.learned)
    total("markov_messages_stored", "Messages this process has written", lambda: learner.stored)
    total("markov_messages_unlearned", "Messages this process has taken out", lambda: guilds.unlearned)
    gauge("markov_messages_waiting", "Learned messages that Postgres does not hold yet", lambda: learner.waiting)
    gauge("markov_oldest_waiting_seconds", "Age of the oldest of them", lambda: learner.oldest_age)
    gauge("markov_chains_open", "Chains in memory", lambda: guilds.open_chains)
    gauge("markov_chains_bytes", "Bytes of chains in memory, mapped images included", lambda: guilds.memory)
    total("markov_chain_cache_hits", "Chains asked for that were in memory", lambda: guilds.hits)
    total("markov_chain_cache_misses", "Chains asked for that had to be opened", lambda: guilds.misses)
    metrics.totals("markov_image_opens", "Chain images opened, by where they were found", "tier", lambda: opener.tiers)


def shard_figures(hosting: Hosting, clock: ReplyClock, learner: Learner, guilds: Guilds) -> Mapping[str, Any]:
    """What the heartbeat tells of the work done: counts since the start, from which the status page makes rates."""
    return {
        "chains": {"open": guilds.open_chains, "bytes": guilds.memory, "hits": guilds.hits, "misses": guilds.misses},
        "counts": {
            "events": sum(hosting.events.values()),
            "replies": clock.replies,
            "learned": learner.learned,
            "unlearned": guilds.unlearned,
        },
        "waiting": learner.waiting,
        "waiting_seconds": round(learner.oldest_age, 1),
    }


def shard_states(hosting: Hosting) -> dict[str, float]:
    """How many shards are in each state."""
    states = dict.fromkeys(("connected", "connecting", "failed", "stale", "stopped"), 0.0)
    for shard in hosting.shards:
        states[hosting.shard_health(shard).state] += 1
    return states


def _latencies(hosting: Hosting) -> dict[str, float]:
    known = ((shard, hosting.shard_health(shard).latency) for shard in hosting.shards)
    return {str(shard.shard_id): latency for shard, latency in known if latency is not None}


def _oldest_ack(hosting: Hosting) -> float:
    ages = (hosting.shard_health(shard).last_ack_age for shard in hosting.shards)
    return max((age for age in ages if age is not None), default=0.0)
