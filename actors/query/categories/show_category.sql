-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant, $2 category. Index: categories_pkey.
-- block own
SELECT id, name, description, color, is_default FROM categories WHERE id = $2 AND tenant_id = $1
-- block foreign
SELECT FROM categories WHERE id = $2 AND tenant_id <> $1
-- shape own = own
-- shape foreign = foreign
