-- Whether the gateway has said that the bot is in the guild: a guild may be taught before the bot comes to it, and must
-- not be taken for one that removed the bot while nobody was connected.
ALTER TABLE guilds ADD COLUMN joined boolean NOT NULL DEFAULT false;
