DROP TABLE tombstones, messages;
