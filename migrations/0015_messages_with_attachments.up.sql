-- Finds the few messages that carry files: for an answer's attachment, and to drop files that are gone.
CREATE INDEX messages_with_attachments ON messages (guild_id, generation, message_id) WHERE attachments <> '[]';
