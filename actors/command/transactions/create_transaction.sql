-- SPDX-License-Identifier: Apache-2.0
-- Records a transaction and moves its account's balance.
-- $6 new id, $7 account, $8 category, $9 amount, $10 its currency, $11 date, $12 memo.
category AS MATERIALIZED (
    SELECT categories.* FROM categories, fresh
    WHERE categories.tenant_id = fresh.tenant_id AND categories.id = $8
),
account AS (
    UPDATE accounts SET balance = balance + $9, transaction_count = transaction_count + 1,
        version = nextval('change')
    FROM fresh
    WHERE accounts.tenant_id = fresh.tenant_id AND accounts.id = $7 AND currency = $10
        AND balance + $9 BETWEEN -1000000000000000 AND 1000000000000000
        AND ($8 IS NULL OR EXISTS (SELECT FROM category))
    RETURNING accounts.*, trace
),
made AS (
    INSERT INTO transactions (id, tenant_id, account_id, category_id, amount, date, version, memo)
    SELECT $6, tenant_id, id, $8, $9, $11, version, $12 FROM account
),
told AS (
    INSERT INTO outbox (shard, version, tenant_id, trace, kind, payload)
    SELECT outbox_shard(tenant_id), version, tenant_id, trace, 'transaction.created',
        json_build_object('id', $6::uuid, 'account_id', id, 'category_id', $8::uuid,
            'amount', $9::bigint, 'currency', currency, 'balance', balance)
    FROM account
),
result AS (
    SELECT 'ok' AS outcome, account.version, ARRAY[
        $6::uuid::text, $9::bigint::text, account.currency, NULL, $12::text,
        CASE WHEN $9 < 0 THEN 'debit' ELSE 'credit' END, $11::timestamptz::text,
        category.id::text, category.name, category.description, category.color,
        category.is_default::text,
        account.id::text, account.name, account.number, account.balance::text, account.currency,
        account.currency, account.type, banks.id::text, banks.code, banks.name, '[]'] AS reply
    FROM account JOIN banks ON banks.id = account.bank_id LEFT JOIN category ON true
    UNION ALL
    SELECT (
        SELECT concat_ws(E'\n',
            CASE WHEN known.id IS NULL THEN 'account_id The selected account id is invalid.'
                 WHEN known.currency <> $10
                 THEN 'amount.currency The amount must be in the currency of the account.'
                 WHEN known.balance + $9 NOT BETWEEN -1000000000000000 AND 1000000000000000
                 THEN 'amount.value The balance of the account would pass its limit.' END,
            CASE WHEN $8 IS NOT NULL AND NOT EXISTS (SELECT FROM category)
                 THEN 'category_id The selected category id is invalid.' END)
        FROM fresh LEFT JOIN accounts AS known
            ON known.tenant_id = fresh.tenant_id AND known.id = $7
    ), NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM account)
)
