-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant, $2 account. Index: accounts_pkey.
-- block own
SELECT accounts.id, accounts.name, accounts.number, accounts.balance, accounts.currency,
    accounts.currency, accounts.type, banks.id, banks.code, banks.name
FROM accounts JOIN banks ON banks.id = accounts.bank_id
WHERE accounts.id = $2 AND accounts.tenant_id = $1
-- block foreign
SELECT FROM accounts WHERE id = $2 AND tenant_id <> $1
-- shape own = own
-- shape foreign = foreign
