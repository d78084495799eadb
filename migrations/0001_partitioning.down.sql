DROP FUNCTION partition_by_guild(regclass);
