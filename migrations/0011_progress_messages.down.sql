DROP TABLE progress_messages;
