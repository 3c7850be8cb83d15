result AS (SELECT 'not_found' AS outcome, 1::bigint AS version, ARRAY[]::text[] AS reply
           FROM fresh WHERE $6::uuid <> $7::uuid)
