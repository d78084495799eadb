CREATE TABLE flags (
    flag          text         NOT NULL PRIMARY KEY,
    percentage    numeric(5,2) NOT NULL CHECK (percentage BETWEEN 0 AND 100),
    forced_guilds bigint[]     NOT NULL DEFAULT '{}'
);

CREATE TABLE flag_changes (
    change_id     bigint       GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flag          text         NOT NULL,
    percentage    numeric(5,2) NOT NULL,
    forced_guilds bigint[]     NOT NULL,
    changed_by    text         NOT NULL,
    changed_at    timestamptz  NOT NULL DEFAULT now()
);
