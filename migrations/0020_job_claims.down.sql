DROP INDEX jobs_old_upkeep;
DROP INDEX jobs_one_authors;
DROP INDEX jobs_one_training;
DELETE FROM job_chunks c USING jobs j WHERE j.guild_id = c.guild_id AND j.job_id = c.job_id AND j.kind = 'authors';
DELETE FROM jobs WHERE kind = 'authors';
ALTER TABLE jobs DROP CONSTRAINT jobs_lane_check;
ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
UPDATE jobs SET lane = 'training' WHERE lane <> 'upkeep';
ALTER TABLE jobs ADD CONSTRAINT jobs_lane_check CHECK (lane IN ('training', 'upkeep'));
ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'backfill', 'compile', 'forget', 'purge'));
CREATE UNIQUE INDEX jobs_one_training ON jobs (guild_id)
    WHERE lane = 'training' AND state IN ('queued', 'running');
ALTER TABLE jobs DROP COLUMN claimed_until;
ALTER TABLE jobs DROP COLUMN claimed_by;
