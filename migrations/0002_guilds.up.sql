CREATE TABLE guilds (
    guild_id            bigint      NOT NULL PRIMARY KEY,
    generation          integer     NOT NULL DEFAULT 1,  -- the one that answers
    training_generation integer,                         -- the one a clean retrain is filling; live learning writes both
    learned_seq         bigint      NOT NULL DEFAULT 0,  -- counts learning and removal, under this row's lock
    image_version       bigint      NOT NULL DEFAULT 0,  -- the published chain image; 0: none yet
    joined_at           timestamptz NOT NULL DEFAULT now(),
    left_at             timestamptz
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('guilds');
