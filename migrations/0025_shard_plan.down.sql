DROP TABLE shard_plan;
