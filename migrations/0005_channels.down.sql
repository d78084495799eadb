DROP TABLE forgotten_users, channels;
