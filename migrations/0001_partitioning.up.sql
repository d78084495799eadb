-- Every table that holds a guild's data is partitioned by guild ID in the same 16 ways, so that a statement
-- naming one guild touches one partition, and so that the tables distribute together on a distributed Postgres.
CREATE FUNCTION partition_by_guild(parent regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR remainder IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %s FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            parent::text || '_p' || to_char(remainder, 'FM00'), parent, remainder
        );
    END LOOP;
END
$$;
