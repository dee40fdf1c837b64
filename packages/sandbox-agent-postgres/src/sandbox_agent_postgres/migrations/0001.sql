-- A session, its place in the stored log and who may write it are one row: whoever writes it locks that row.
CREATE TABLE {schema}.session (
    id text COLLATE "C" PRIMARY KEY,
    -- JSON, as bytes: `jsonb` and `text` refuse NUL and halves of characters, which people and agents do write.
    -- NULL when there is only a lease.
    record bytea,
    created_at timestamptz,
    ended_at timestamptz,
    last_seq bigint NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '',
    generation bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 70);

CREATE INDEX session_newest ON {schema}.session (created_at DESC, id DESC) WHERE record IS NOT NULL;
CREATE INDEX session_ended ON {schema}.session (ended_at) WHERE ended_at IS NOT NULL;

-- No foreign key: it costs a third of the speed, and everybody who writes an entry holds the lock of its session.
CREATE TABLE {schema}.entry (
    session_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    frame bytea NOT NULL,
    -- Each word that a person would look for, once, in lower case; NULL for nine of ten entries, which no index knows.
    words text,
    PRIMARY KEY (session_id, seq)
);

CREATE INDEX entry_words ON {schema}.entry USING gin (to_tsvector('simple', words)) WHERE words IS NOT NULL;
