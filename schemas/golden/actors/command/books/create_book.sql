-- SPDX-License-Identifier: Apache-2.0
result AS (
    SELECT 'ok' AS outcome, 1::bigint AS version, ARRAY[$6::text] AS reply FROM fresh
)
