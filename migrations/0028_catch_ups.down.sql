DROP TABLE catch_ups;
