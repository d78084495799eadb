DROP INDEX messages_with_attachments;
