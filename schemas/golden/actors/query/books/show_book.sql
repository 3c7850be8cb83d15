-- SPDX-License-Identifier: Apache-2.0
-- block own
SELECT 'costs "$7"\n' FROM books WHERE tenant_id = $1 AND id = $2
-- block foreign
SELECT FROM books WHERE tenant_id <> $1 AND id = $2
-- shape own = own
-- shape foreign = foreign
