-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant; $2 text to find (an ILIKE pattern), $3 type, $4 currency, each may be NULL; $5 offset,
-- $6 limit. Index: accounts_by_name, of which a tenant has at most 200 entries.
-- block columns
SELECT accounts.id, accounts.name, accounts.number, accounts.balance, accounts.currency,
    accounts.currency, accounts.type, banks.id, banks.code, banks.name
-- block count
SELECT count(*)
-- block accounts
FROM accounts
-- block banks
JOIN banks ON banks.id = accounts.bank_id
-- block filter
WHERE tenant_id = $1
    AND ($2::text IS NULL OR accounts.name ILIKE $2 ESCAPE '\' OR number ILIKE $2 ESCAPE '\')
    AND ($3::text IS NULL OR type = $3) AND ($4::text IS NULL OR currency = $4)
-- block page
ORDER BY accounts.name COLLATE "C", accounts.id LIMIT $6 OFFSET $5
-- shape page = columns accounts banks filter page
-- shape total = count accounts filter
