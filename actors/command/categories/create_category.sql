-- SPDX-License-Identifier: Apache-2.0
-- Adds a category; a tenant has at most 500.
-- $6 new id, $7 name, $8 color, $9 description, $10 is_default.
category AS (
    INSERT INTO categories (id, tenant_id, version, is_default, color, name, description)
    SELECT $6, tenant_id, nextval('change'), $10, $8, $7, $9
    FROM fresh WHERE (SELECT count(*) FROM categories WHERE tenant_id = $1) < 500
    RETURNING *
),
result AS (
    SELECT 'ok' AS outcome, version,
        ARRAY[id::text, name, description, color, is_default::text] AS reply
    FROM category
    UNION ALL
    SELECT 'categories There are 500 categories already, which is the limit.', NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM category)
)
