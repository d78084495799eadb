-- Messages that show how a training goes, for the process that follows it when the one that began has ended.
CREATE TABLE progress_messages (
    guild_id   bigint NOT NULL,
    job_id     bigint NOT NULL,
    channel_id bigint NOT NULL,
    message_id bigint NOT NULL,
    PRIMARY KEY (guild_id, job_id)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('progress_messages');
