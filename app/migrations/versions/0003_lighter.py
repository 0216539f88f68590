"""Words, marks and entries of the audit cost less to make; what they are stays."""

from alembic import op

revision = "0003"
down_revision = "0002"

# A cast to text, unlike "bigint || text", is immutable all through: PostgreSQL can write the functions' bodies in their place.
MARKS = """
CREATE OR REPLACE FUNCTION desk_marks(number bigint, requester bigint, organization bigint, team bigint)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY['/a' || CAST(number >> 10 AS text), '/b' || CAST(number >> 13 AS text),
        '/r' || CAST(requester AS text), '/o' || CAST(coalesce(organization, 0) AS text),
        '/t' || CAST(coalesce(team, 0) AS text)])
$$
"""
AMONG = """
CREATE OR REPLACE FUNCTION desk_among(mark text, stretch bigint) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST('''' || mark || CAST(stretch AS text) || ''' | ''' || mark || CAST(stretch - 1 AS text) || '''' AS tsquery)
$$
"""
# A short text can't be too much for a tsvector, and needs no subtransaction to catch that.
WORDS = """
CREATE OR REPLACE FUNCTION desk_words(words text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF octet_length(words) < 10000 THEN
        RETURN to_tsvector('pg_catalog.simple', desk_plain(words));
    END IF;
    BEGIN
        RETURN to_tsvector('pg_catalog.simple', desk_plain(words));
    EXCEPTION WHEN program_limit_exceeded THEN
        BEGIN
            RETURN to_tsvector('pg_catalog.simple', desk_plain(left(words, 5000)));
        EXCEPTION WHEN program_limit_exceeded THEN
            RETURN '';
        END;
    END;
END $$
"""
AMONG_BEFORE = """
CREATE OR REPLACE FUNCTION desk_among(mark text, stretch bigint) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('''' || mark || stretch || ''' | ''' || mark || (stretch - 1) || '''')::tsquery
$$
"""
MARKS_BEFORE = """
CREATE OR REPLACE FUNCTION desk_marks(number bigint, requester bigint, organization bigint, team bigint)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY['/a' || (number >> 10), '/b' || (number >> 13),
        '/r' || requester, '/o' || coalesce(organization, 0), '/t' || coalesce(team, 0)])
$$
"""
WORDS_BEFORE = """
CREATE OR REPLACE FUNCTION desk_words(words text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN to_tsvector('pg_catalog.simple', desk_plain(words));
EXCEPTION WHEN program_limit_exceeded THEN
    BEGIN
        RETURN to_tsvector('pg_catalog.simple', desk_plain(left(words, 5000)));
    EXCEPTION WHEN program_limit_exceeded THEN
        RETURN '';
    END;
END $$
"""
# What is hashed says everything that is written down, so it is sent once. It is parted where the entry's number belongs.
RECORD = r"""
CREATE FUNCTION desk_record(before_seq text[], after_seq text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head audit_head%ROWTYPE;
    words text;
    entry jsonb;
BEGIN
    SELECT * INTO STRICT head FROM audit_head WHERE id = 1 FOR UPDATE;
    FOR n IN 1 .. cardinality(before_seq) LOOP
        words := before_seq[n] || (head.seq + 1) || after_seq[n];
        entry := words;
        INSERT INTO audit_event (seq, at, kind, actor_id, actor, ticket, data, before_hash, hash)
        VALUES (head.seq + 1, CAST(entry ->> 'at' AS timestamptz), entry ->> 'kind', CAST(entry ->> 'actor_id' AS bigint),
            entry ->> 'actor', CAST(entry ->> 'ticket' AS bigint), entry -> 'data', head.hash,
            sha256(head.hash || convert_to(words, 'UTF8')))
        RETURNING audit_event.seq, audit_event.hash INTO head.seq, head.hash;
    END LOOP;
    UPDATE audit_head SET seq = head.seq, hash = head.hash WHERE id = 1;
    PERFORM pg_notify('desk_events', head.seq::text);
END $$
"""
RECORD_BEFORE = r"""
CREATE FUNCTION desk_record(at timestamptz[], kind text[], actor_id bigint[], actor text[], ticket bigint[], data jsonb[],
    before_seq text[], after_seq text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head audit_head%ROWTYPE;
BEGIN
    SELECT * INTO STRICT head FROM audit_head WHERE id = 1 FOR UPDATE;
    FOR n IN 1 .. cardinality(at) LOOP
        INSERT INTO audit_event (seq, at, kind, actor_id, actor, ticket, data, before_hash, hash)
        VALUES (head.seq + 1, at[n], kind[n], actor_id[n], actor[n], ticket[n], data[n], head.hash,
            sha256(head.hash || convert_to(before_seq[n] || (head.seq + 1) || after_seq[n], 'UTF8')))
        RETURNING audit_event.seq, audit_event.hash INTO head.seq, head.hash;
    END LOOP;
    UPDATE audit_head SET seq = head.seq, hash = head.hash WHERE id = 1;
    PERFORM pg_notify('desk_events', head.seq::text);
END $$
"""


def upgrade() -> None:
    op.execute(MARKS)
    op.execute(AMONG)
    op.execute(WORDS)
    op.execute("DROP FUNCTION desk_record")
    op.execute(RECORD)


def downgrade() -> None:
    op.execute("DROP FUNCTION desk_record")
    op.execute(RECORD_BEFORE)
    op.execute(MARKS_BEFORE)
    op.execute(AMONG_BEFORE)
    op.execute(WORDS_BEFORE)
