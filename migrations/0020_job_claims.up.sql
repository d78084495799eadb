-- works-from: 0020
-- A claim is a lease: its holder renews it, and nobody else takes the job until it has run out or was given back.
ALTER TABLE jobs ADD COLUMN claimed_by text;
ALTER TABLE jobs ADD COLUMN claimed_until timestamptz;

-- A small import does not wait behind a history that takes a week: each has a lane, and so a stream, of its own.
ALTER TABLE jobs DROP CONSTRAINT jobs_lane_check;
ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
DROP INDEX jobs_one_training;
UPDATE jobs SET lane = CASE WHEN kind = 'backfill' THEN 'history' ELSE 'imports' END WHERE lane = 'training';
ALTER TABLE jobs ADD CONSTRAINT jobs_lane_check CHECK (lane IN ('imports', 'history', 'upkeep'));
ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check
    CHECK (kind IN ('import', 'backfill', 'authors', 'compile', 'forget', 'purge'));
CREATE UNIQUE INDEX jobs_one_training ON jobs (guild_id)
    WHERE kind IN ('import', 'backfill') AND state IN ('queued', 'running');
-- Authors of imported messages are looked up by one job a guild at a time.
CREATE UNIQUE INDEX jobs_one_authors ON jobs (guild_id) WHERE kind = 'authors' AND state IN ('queued', 'running');
CREATE INDEX jobs_old_upkeep ON jobs (finished_at) WHERE lane = 'upkeep' AND state = 'done';
