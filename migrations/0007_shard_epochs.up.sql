-- The fencing epoch of each shard lease grows here and not in Redis, so that an emptied Redis cannot reset it.
CREATE TABLE shard_epochs (
    shard_count integer     NOT NULL,
    shard_id    integer     NOT NULL,
    epoch       bigint      NOT NULL,
    holder      text        NOT NULL,
    taken_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard_count, shard_id)
);
