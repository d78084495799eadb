-- Channels and threads whose settings or parent a process must know without asking Discord.
CREATE TABLE channels (
    guild_id           bigint       NOT NULL,
    channel_id         bigint       NOT NULL,
    parent_id          bigint,                        -- of a thread
    nsfw               boolean      NOT NULL DEFAULT false,
    listen             boolean      NOT NULL DEFAULT false,
    autorespond        boolean      NOT NULL DEFAULT false,
    autorespond_chance numeric(5,2) NOT NULL DEFAULT 100 CHECK (autorespond_chance BETWEEN 0.01 AND 100),
    PRIMARY KEY (guild_id, channel_id)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('channels');

-- Members who asked not to be learned.
CREATE TABLE forgotten_users (
    guild_id     bigint      NOT NULL,
    user_id      bigint      NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, user_id)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('forgotten_users');
