-- How many shards the fleet runs and is to run; at most one row. A lost Redis must not undo a resharding.
CREATE TABLE shard_plan (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    shard_count integer     NOT NULL CHECK (shard_count > 0),
    target      integer     NOT NULL DEFAULT 0 CHECK (target >= 0),
    switch_at   bigint      NOT NULL DEFAULT 0,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
