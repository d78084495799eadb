"""The shard side of the fleet: which shards this process owns, and proof of it."""
