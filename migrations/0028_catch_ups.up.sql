-- Guilds whose gateway session ended without a successor that could replay what was missed: to be read over REST.
CREATE TABLE catch_ups (
    guild_id  bigint      NOT NULL,
    before_id bigint      NOT NULL,                        -- no message of the new session has a lower ID
    noted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),  -- of the latest gap: a row that changed is not done
    PRIMARY KEY (guild_id)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('catch_ups');
