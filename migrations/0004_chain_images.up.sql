CREATE TABLE chain_images (
    guild_id   bigint      NOT NULL,
    audience   text        NOT NULL CHECK (audience IN ('general', 'all')),
    version    bigint      NOT NULL,
    generation integer     NOT NULL,
    covers_seq bigint      NOT NULL,  -- holds every message learned up to here, and none removed up to here
    state_size smallint    NOT NULL,
    messages   bigint      NOT NULL,
    bytes      bigint      NOT NULL,
    crc32      bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (guild_id, audience, version)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('chain_images');

CREATE TABLE chain_image_chunks (
    guild_id bigint  NOT NULL,
    audience text    NOT NULL,
    version  bigint  NOT NULL,
    chunk_no integer NOT NULL,
    data     bytea   NOT NULL,
    PRIMARY KEY (guild_id, audience, version, chunk_no)
) PARTITION BY HASH (guild_id);

-- Images are dense arrays: compressing them again costs more than it saves.
ALTER TABLE chain_image_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

SELECT partition_by_guild('chain_image_chunks');

-- What was removed since an image, as indices into it: never any text. A message that the published image does
-- not hold leaves a row with no indices, which a compile that read the message before needs in order to undo it.
CREATE TABLE chain_removals (
    guild_id    bigint   NOT NULL,
    removed_seq bigint   NOT NULL,
    audience    text     NOT NULL CHECK (audience IN ('general', 'all')),
    version     bigint   NOT NULL,  -- the image the indices point into
    message_id  bigint   NOT NULL,
    learned_seq bigint   NOT NULL,  -- where the removed message stood
    transitions bytea    NOT NULL,  -- uint32, little-endian, one for each step of the message
    PRIMARY KEY (guild_id, removed_seq, audience)
) PARTITION BY HASH (guild_id);

SELECT partition_by_guild('chain_removals');
