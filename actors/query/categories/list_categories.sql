-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant, $2 pattern in the name, $3 whether a default one.
-- Index: categories_by_name. A tenant has 500 categories at most, so one shape serves all filters.
SELECT id, name, description, color, is_default
FROM categories
WHERE tenant_id = $1
    AND ($2::text IS NULL OR name ILIKE $2 ESCAPE '\')
    AND ($3::boolean IS NULL OR is_default = $3)
ORDER BY name COLLATE "C", id
