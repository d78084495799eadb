CREATE SEQUENCE job_ids;

CREATE TABLE jobs (
    guild_id     bigint      NOT NULL,
    job_id       bigint      NOT NULL DEFAULT nextval('job_ids'),
    kind         text        NOT NULL CHECK (kind IN ('import', 'backfill', 'compile', 'forget', 'purge')),
    lane         text        NOT NULL CHECK (lane IN ('training', 'upkeep')),
    state        text        NOT NULL DEFAULT 'queued'
                 CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'dead')),
    payload      jsonb       NOT NULL DEFAULT '{}',  -- what to do: file URL, options
    generation   integer,                            -- the generation it fills
    fence        bigint      NOT NULL DEFAULT 0,     -- grows with each claim; a chunk carries its claimer's
    deliveries   integer     NOT NULL DEFAULT 0,     -- claims since the last new chunk
    messages     bigint      NOT NULL DEFAULT 0,
    skipped      bigint      NOT NULL DEFAULT 0,
    error        text,
    requested_by bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (guild_id, job_id)
) PARTITION BY HASH (guild_id);

CREATE INDEX jobs_by_id ON jobs (job_id);
CREATE INDEX jobs_unfinished ON jobs (state) WHERE state IN ('queued', 'running');
-- One training job a guild at a time; compile requests for a guild that wait collapse into one.
CREATE UNIQUE INDEX jobs_one_training ON jobs (guild_id)
    WHERE lane = 'training' AND state IN ('queued', 'running');
CREATE UNIQUE INDEX jobs_one_waiting_compile ON jobs (guild_id) WHERE kind = 'compile' AND state = 'queued';

SELECT partition_by_guild('jobs');

-- The ledger: a chunk's row is written in the transaction that writes its messages, so a chunk counts once.
CREATE TABLE job_chunks (
    guild_id     bigint      NOT NULL,
    job_id       bigint      NOT NULL,
    chunk_no     integer     NOT NULL,
    messages     integer     NOT NULL,
    skipped      integer     NOT NULL,
    position     jsonb       NOT NULL,  -- where the source stands after this chunk
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, job_id, chunk_no)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('job_chunks');
