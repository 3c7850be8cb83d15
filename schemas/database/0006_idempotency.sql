-- SPDX-License-Identifier: Apache-2.0
-- What was answered to a command, by its key. Rows are never updated and never deleted one by one:
-- each lifetime (a client's key 24 hours, an edge's own 15 minutes) has a ring of three tables,
-- one being filled, one that is still asked, one that is emptied before its turn comes. The ring
-- is fixed, so no write ever waits for a table that nobody has made yet.
-- Keys and fingerprints are hashes of 16 bytes; uuid is PostgreSQL's type of that size.
CREATE TABLE idempotency (
    slot smallint NOT NULL, -- client's keys 0 to 2, the edges' 3 to 5
    tenant_id uuid NOT NULL,
    operation smallint NOT NULL,
    key uuid NOT NULL,
    fingerprint uuid NOT NULL,
    version bigint,
    reply text[]
) PARTITION BY RANGE (slot);

DO $$
BEGIN
    FOR slot IN 0..5 LOOP
        EXECUTE format('CREATE TABLE idempotency_%s PARTITION OF idempotency
                        FOR VALUES FROM (%s) TO (%s) WITH (autovacuum_enabled = false)',
                       slot, slot, slot + 1);
        EXECUTE format('CREATE UNIQUE INDEX ON idempotency_%s (key, tenant_id, operation)', slot);
    END LOOP;
END
$$;
GRANT SELECT, INSERT ON idempotency TO valorize_command;

-- The table that is being filled at that time.
CREATE FUNCTION idempotency_slot(internal boolean, at timestamptz DEFAULT now()) RETURNS smallint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN internal THEN 3 + floor(date_part('epoch', at) / 900)::bigint % 3
            ELSE floor(date_part('epoch', at) / 86400)::bigint % 3 END::smallint;

-- Empties the tables whose turn comes next, and deletes the oldest outbox rows while no bridge
-- takes them. True: there may be more to delete. Any process may call it at any time.
CREATE FUNCTION housekeeping() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '200ms'
AS $$
DECLARE
    ring record;
    next_slot smallint;
    is_used boolean;
    deleted integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('valorize.housekeeping')) THEN
        RETURN false;
    END IF;
    FOR ring IN SELECT * FROM (VALUES (false, interval '24 hours'), (true, interval '15 minutes'))
                              AS ring (internal, turn) LOOP
        next_slot := idempotency_slot(ring.internal, now() + ring.turn);
        -- Never at the end of a turn: while this waits for the lock the next one could begin.
        CONTINUE WHEN next_slot = idempotency_slot(ring.internal, now() + interval '10 seconds');
        EXECUTE format('SELECT EXISTS (SELECT FROM idempotency_%s)', next_slot) INTO is_used;
        IF is_used THEN
            BEGIN
                EXECUTE format('TRUNCATE idempotency_%s', next_slot);
            EXCEPTION WHEN lock_not_available THEN
                NULL; -- the next call tries again; meanwhile old keys live on
            END;
        END IF;
    END LOOP;
    DELETE FROM outbox USING (
        SELECT first.* FROM generate_series(0, 63) AS every, LATERAL (
            SELECT shard, version, id, created_at FROM outbox
            WHERE shard = every ORDER BY version, id LIMIT 7) AS first
    ) AS first
    WHERE (outbox.shard, outbox.version, outbox.id) = (first.shard, first.version, first.id)
        AND first.created_at < now() - interval '1 hour';
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted > 0;
END
$$;
REVOKE ALL ON FUNCTION housekeeping FROM PUBLIC;
GRANT EXECUTE ON FUNCTION housekeeping TO valorize_command;
