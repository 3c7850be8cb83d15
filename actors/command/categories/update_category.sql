-- SPDX-License-Identifier: Apache-2.0
-- Replaces a category. $5 category, $6 name, $7 color, $8 description, $9 is_default.
category AS (
    UPDATE categories SET name = $6, color = $7, description = $8, is_default = $9,
        version = nextval('change')
    FROM fresh
    WHERE categories.tenant_id = fresh.tenant_id AND id = $5
    RETURNING categories.*
),
result AS (
    SELECT 'ok' AS outcome, version,
        ARRAY[id::text, name, description, color, is_default::text] AS reply
    FROM category
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM categories WHERE id = $5) THEN 'forbidden'
                ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM category)
)
