CREATE TABLE messages (
    guild_id    bigint  NOT NULL,
    generation  integer NOT NULL,
    message_id  bigint  NOT NULL,  -- negative: imported without an ID
    channel_id  bigint,            -- the channel's own or, in a thread, the thread's ID; NULL: imported without one
    author_id   bigint,            -- NULL: imported without one
    content     text    NOT NULL,
    attachments jsonb   NOT NULL DEFAULT '[]',  -- CDN URLs, as first seen
    nsfw        boolean NOT NULL DEFAULT false,
    learned_seq bigint  NOT NULL,
    PRIMARY KEY (guild_id, generation, message_id)
) PARTITION BY HASH (guild_id);

CREATE INDEX messages_by_learned_seq ON messages (guild_id, generation, learned_seq);
CREATE INDEX messages_by_channel ON messages (guild_id, channel_id, message_id);
CREATE INDEX messages_by_author ON messages (guild_id, author_id) WHERE author_id IS NOT NULL;

SELECT partition_by_guild('messages');

-- IDs only: a history backfill must not bring back what was deleted.
CREATE TABLE tombstones (
    guild_id   bigint      NOT NULL,
    message_id bigint      NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, message_id)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('tombstones');
