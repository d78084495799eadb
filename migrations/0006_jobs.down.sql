DROP TABLE job_chunks, jobs;
DROP SEQUENCE job_ids;
