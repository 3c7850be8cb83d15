-- SPDX-License-Identifier: Apache-2.0
-- Adds a category; a tenant has at most 500.
-- $5 new id, $6 name, $7 color, $8 description, $9 is_default.
category AS (
    INSERT INTO categories (id, tenant_id, version, is_default, color, name, description)
    SELECT $5, tenant_id, nextval('change'), $9, $7, $6, $8
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
