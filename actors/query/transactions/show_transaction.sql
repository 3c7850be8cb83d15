-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant, $2 transaction. Index: transactions_pkey.
-- block own
SELECT transactions.id, transactions.amount, accounts.currency, NULL AS fitid, transactions.memo,
    CASE WHEN transactions.amount < 0 THEN 'debit' ELSE 'credit' END AS type, transactions.date,
    categories.id, categories.name, categories.description, categories.color,
    categories.is_default,
    accounts.id, accounts.name, accounts.number, accounts.balance, accounts.currency,
    accounts.currency, accounts.type, banks.id, banks.code, banks.name, '[]' AS splits
FROM transactions JOIN accounts ON accounts.id = account_id JOIN banks ON banks.id = bank_id
    LEFT JOIN categories ON categories.id = category_id
WHERE transactions.id = $2 AND transactions.tenant_id = $1
-- block foreign
SELECT FROM transactions WHERE id = $2 AND tenant_id <> $1
-- shape own = own
-- shape foreign = foreign
