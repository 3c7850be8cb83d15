-- SPDX-License-Identifier: Apache-2.0
-- Replaces a category. $6 category, $7 name, $8 color, $9 description, $10 is_default.
category AS (
    UPDATE categories SET name = $7, color = $8, description = $9, is_default = $10,
        version = nextval('change')
    FROM fresh
    WHERE categories.tenant_id = fresh.tenant_id AND id = $6
    RETURNING categories.*
),
result AS (
    SELECT 'ok' AS outcome, version,
        ARRAY[id::text, name, description, color, is_default::text] AS reply
    FROM category
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM categories WHERE id = $6) THEN 'forbidden'
                ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM category)
)
