-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant; $2 text to find in the name (an ILIKE pattern), $3 is_default, each may be NULL.
-- Index: categories_by_name.
SELECT id, name, description, color, is_default FROM categories
WHERE tenant_id = $1 AND ($2::text IS NULL OR name ILIKE $2 ESCAPE '\')
    AND ($3::boolean IS NULL OR is_default = $3)
ORDER BY name COLLATE "C", id
