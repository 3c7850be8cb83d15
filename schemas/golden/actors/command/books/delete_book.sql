result AS (SELECT 'not_found' AS outcome, 1::bigint AS version, ARRAY[]::text[] AS reply
           FROM fresh WHERE $5::uuid <> $6::uuid)
