-- SPDX-License-Identifier: Apache-2.0
-- The frame around every command's .sql, which is a list of CTEs ending in
-- result(outcome text, version bigint, reply text[]) with at most one row. A repeated
-- Idempotency-Key gets the recorded reply and has no effect, because every effect derives from
-- `fresh`. Only outcome 'ok' is recorded: a refusal had no effect, and its repeat may succeed.
-- $1 tenant, $2 key, $3 fingerprint (both 16 bytes, as uuid), $4 whether the edge made the key,
-- $5 the traceparent, which `fresh` carries into the outbox.
-- {operation} is the operation's number, {statement} the use case's text.
WITH replay AS MATERIALIZED (
SELECT fingerprint, version, reply FROM idempotency
WHERE key = $2 AND tenant_id = $1 AND operation = {operation}
    AND slot >= CASE WHEN $4 THEN 3 ELSE 0 END AND slot < CASE WHEN $4 THEN 6 ELSE 3 END
),
fresh AS MATERIALIZED (
SELECT $1::uuid AS tenant_id, $5::text AS trace WHERE NOT EXISTS (SELECT FROM replay)
),
{statement},
recorded AS (
INSERT INTO idempotency (slot, tenant_id, operation, key, fingerprint, version, reply)
SELECT idempotency_slot($4), $1, {operation}, $2, $3, version, reply
FROM result WHERE outcome = 'ok'
)
SELECT outcome, false AS replayed, version, reply FROM result
UNION ALL
SELECT CASE WHEN fingerprint = $3 THEN 'ok' ELSE 'key_reused' END, true, version, reply FROM replay
