-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant, $2 pattern in name or number, $3 type, $4 currency, $5 limit, $6 offset.
-- Index: accounts_by_name. A tenant has 200 accounts at most, so one shape serves all filters.
-- block page
SELECT accounts.id, accounts.name, accounts.number, accounts.balance, accounts.currency,
    accounts.currency, accounts.type, banks.id, banks.code, banks.name
FROM accounts JOIN banks ON banks.id = accounts.bank_id
-- block count
SELECT count(*) FROM accounts
-- block filter
WHERE accounts.tenant_id = $1
    AND ($2::text IS NULL OR accounts.name ILIKE $2 ESCAPE '\'
         OR accounts.number ILIKE $2 ESCAPE '\')
    AND ($3::text IS NULL OR accounts.type = $3)
    AND ($4::text IS NULL OR accounts.currency = $4)
-- block order
ORDER BY accounts.name COLLATE "C", accounts.id LIMIT $5 OFFSET $6
-- shape page = page filter order
-- shape total = count filter
