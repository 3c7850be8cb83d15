-- SPDX-License-Identifier: Apache-2.0
-- Removes an account that has no transactions. $6 account.
old AS MATERIALIZED (
    SELECT accounts.* FROM accounts, fresh
    WHERE accounts.tenant_id = fresh.tenant_id AND accounts.id = $6
),
gone AS (
    DELETE FROM accounts USING old
    WHERE accounts.tenant_id = old.tenant_id AND accounts.id = old.id AND old.transaction_count = 0
    RETURNING nextval('change') AS version
),
result AS (
    SELECT 'ok' AS outcome, version, ARRAY[]::text[] AS reply FROM gone
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM old) THEN 'id An account with transactions stays.'
                WHEN EXISTS (SELECT FROM accounts WHERE id = $6) THEN 'forbidden'
                ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM gone)
)
