DROP TABLE flag_changes, flags;
