-- SPDX-License-Identifier: Apache-2.0
-- Replaces a transaction and moves its account's balance by the difference.
-- $6 transaction, $7 amount, $8 its currency, $9 date, $10 memo, $11 category.
old AS MATERIALIZED (
    SELECT transactions.*, trace FROM transactions, fresh
    WHERE transactions.tenant_id = fresh.tenant_id AND transactions.id = $6
),
category AS MATERIALIZED (
    SELECT categories.* FROM categories, fresh
    WHERE categories.tenant_id = fresh.tenant_id AND categories.id = $11
),
account AS (
    UPDATE accounts SET balance = balance - old.amount + $7, version = nextval('change')
    FROM old
    WHERE accounts.tenant_id = old.tenant_id AND accounts.id = old.account_id AND currency = $8
        AND balance - old.amount + $7 BETWEEN -1000000000000000 AND 1000000000000000
        AND ($11 IS NULL OR EXISTS (SELECT FROM category))
    RETURNING accounts.*, trace
),
changed AS (
    UPDATE transactions SET amount = $7, date = $9, memo = $10, category_id = $11,
        version = account.version
    FROM account WHERE transactions.id = $6 AND transactions.account_id = account.id
),
told AS (
    INSERT INTO outbox (shard, version, tenant_id, trace, kind, payload)
    SELECT outbox_shard(tenant_id), version, tenant_id, trace, 'transaction.updated',
        json_build_object('id', $6::uuid, 'account_id', id, 'category_id', $11::uuid,
            'amount', $7::bigint, 'currency', currency, 'balance', balance)
    FROM account
),
result AS (
    SELECT 'ok' AS outcome, account.version, ARRAY[
        $6::uuid::text, $7::bigint::text, account.currency, NULL, $10::text,
        CASE WHEN $7::bigint < 0 THEN 'debit' ELSE 'credit' END, $9::timestamptz::text,
        category.id::text, category.name, category.description, category.color,
        category.is_default::text,
        account.id::text, account.name, account.number, account.balance::text, account.currency,
        account.currency, account.type, banks.id::text, banks.code, banks.name, '[]'] AS reply
    FROM account JOIN banks ON banks.id = account.bank_id LEFT JOIN category ON true
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM old) THEN (
            SELECT concat_ws(E'\n',
                CASE WHEN currency <> $8
                     THEN 'amount.currency The amount must be in the currency of the account.'
                     WHEN balance - old.amount + $7
                         NOT BETWEEN -1000000000000000 AND 1000000000000000
                     THEN 'amount.value The balance of the account would pass its limit.' END,
                CASE WHEN $11 IS NOT NULL AND NOT EXISTS (SELECT FROM category)
                     THEN 'category_id The selected category id is invalid.' END)
            FROM old JOIN accounts ON accounts.id = old.account_id)
        WHEN EXISTS (SELECT FROM transactions WHERE id = $6) THEN 'forbidden'
        ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM account)
)
