-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant, $2 limit, $3 authors. Index: books_by_printed.
-- block select
SELECT id, price, currency, title, note, genre, printed, pages, is_signed
FROM books
-- block all
WHERE tenant_id = $1
-- block some
WHERE tenant_id = $1 AND author_id = ANY ($3::uuid[]) -- never $9
-- block tail
ORDER BY printed DESC LIMIT $2;
-- shape all = select all tail
-- shape by_author = select some tail
