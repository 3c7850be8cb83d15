-- SPDX-License-Identifier: Apache-2.0
-- Removes a category; its transactions become uncategorized, which one event tells. $6 category.
-- Index: transactions_of_category_by_date.
gone AS (
    DELETE FROM categories USING fresh
    WHERE categories.tenant_id = fresh.tenant_id AND id = $6
    RETURNING id, categories.tenant_id, trace, nextval('change') AS version
),
uncategorized AS (
    UPDATE transactions SET category_id = NULL, version = gone.version
    FROM gone
    WHERE transactions.tenant_id = gone.tenant_id AND category_id = gone.id
    RETURNING transactions.id
),
told AS (
    INSERT INTO outbox (shard, version, tenant_id, trace, kind, payload)
    SELECT outbox_shard(tenant_id), version, tenant_id, trace, 'category.deleted',
        json_build_object('id', id, 'transactions', (SELECT count(*) FROM uncategorized))
    FROM gone
),
result AS (
    SELECT 'ok' AS outcome, version, ARRAY[]::text[] AS reply FROM gone
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM categories WHERE id = $6) THEN 'forbidden'
                ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM gone)
)
