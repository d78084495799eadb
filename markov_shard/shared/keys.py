"""Every Redis key and channel of the fleet: what it is, who writes it, how long it lives.

Keys that one atomic step touches together share a hash tag (`{…}`), so that they lie in one slot of a Redis
Cluster. Coordination keys have no TTL: `maxmemory-policy volatile-lru` then never evicts them; those that
expire carry `expires_at` (milliseconds of Redis's own TIME), judged inside Lua. Caches have a TTL and may go.
"""

PREFIX = "markov"

# --- coordination: hash tag {fleet} -------------------------------------------------------------------------


def member(name: str) -> str:
    """Hash: a process's heartbeat (role, URL, capacity, expires_at). Written by the process itself."""
    return f"{PREFIX}:{{fleet}}:member:{name}"


def members() -> str:
    """Set: names of all processes that ever sent a heartbeat and were not swept. Written by processes and leader."""
    return f"{PREFIX}:{{fleet}}:members"


def leader() -> str:
    """Hash: the leading coordinator's lease (holder, term, expires_at). Written by coordinators."""
    return f"{PREFIX}:{{fleet}}:leader"


def assignment() -> str:
    """Hash: which process is to own which shards, and why. Written by the leader."""
    return f"{PREFIX}:{{fleet}}:assignment"


def flags() -> str:
    """Hash: the rollout flags (change, content). Written by whoever changes one, and anew by the leader."""
    return f"{PREFIX}:{{fleet}}:flags"


def drains() -> str:
    """Set: names of processes that an operator asked to drain. Written by `markov-shard drain`; a process that
    starts takes its own name out."""
    return f"{PREFIX}:{{fleet}}:drains"


def lease(shard_count: int, shard_id: int) -> str:
    """Hash: a shard's lease (holder, epoch, expires_at). Written by its holder."""
    return f"{PREFIX}:{{fleet}}:lease:{shard_count}:{shard_id}"


def identify_bucket(bucket: int) -> str:
    """Hash: the last IDENTIFY ticket of a `shard_id % max_concurrency` bucket. Written by the ticket's taker."""
    return f"{PREFIX}:{{fleet}}:identify:{bucket}"


def identify_gate() -> str:
    """Hash: when IDENTIFYs may begin (opens_at), and leases be given (leases_from), the day's budget of IDENTIFYs.

    Written by the leader; an emptied Redis is known by its absence.
    """
    return f"{PREFIX}:{{fleet}}:identify"


def rest() -> str:
    """Hash: when the next REST request may be sent (free_at, microseconds), and how many answers of each of the last
    minutes were invalid (`invalid:MINUTE`). Written by every process that asks Discord directly."""
    return f"{PREFIX}:{{fleet}}:rest"


def session(shard_count: int, shard_id: int) -> str:
    """Hash: where a shard's gateway session can be resumed: epoch of the writer, msgpack of id, seq, URL and user.

    Written by the lease's holder; lives until replaced.
    """
    return f"{PREFIX}:session:{shard_count}:{shard_id}"


# --- training jobs ------------------------------------------------------------------------------------------


def job_stream(lane: str) -> str:
    """Stream: references to a lane's queued jobs (`imports`, `history`, `upkeep`). Written by whoever creates a job."""
    return f"{PREFIX}:{{jobs}}:{lane}"


def job_index(lane: str) -> str:
    """Hash: where on the lane's stream each job is, so that it is there once. Written with the stream."""
    return f"{PREFIX}:{{jobs}}:{lane}:index"


def job_sweep(name: str) -> str:
    """String with TTL: which worker looked last for what was left behind. Written by that worker."""
    return f"{PREFIX}:{{jobs}}:sweep:{name}"


def dead_letters() -> str:
    """Stream: jobs that were given up, with the reason. Written by workers; read and trimmed by operators."""
    return f"{PREFIX}:{{jobs}}:dead"


# --- caches (TTL) and announcements (publish/subscribe) -----------------------------------------------------


def image_chunk(guild_id: int, audience: str, version: int, chunk_no: int) -> str:
    """String with TTL: a piece of a published chain image. Written by whoever read the image from Postgres."""
    return f"{PREFIX}:{{image:{guild_id}:{audience}:{version}}}:{chunk_no}"


def image_burial(guild_id: int, audience: str, version: int) -> str:
    """String with TTL: the image must not be cached again. Written by whoever removed it for good."""
    return f"{PREFIX}:{{image:{guild_id}:{audience}:{version}}}:buried"


def cdn_url(digest: str) -> str:
    """Hash with TTL: a CDN URL and until when its signature is valid. Written by whoever refreshed it."""
    return f"{PREFIX}:{{cdn:{digest}}}:signed"


def cdn_refresh(digest: str) -> str:
    """String with TTL: the process that is refreshing a CDN URL now. Written by that process."""
    return f"{PREFIX}:{{cdn:{digest}}}:refresh"


def guild_news() -> str:
    """Channel: msgpack of what changed of a guild outside its owner's process (image published, channels, forget).

    Written after the change is committed; a process that missed it finds the change in Postgres.
    """
    return f"{PREFIX}:guild-news"
