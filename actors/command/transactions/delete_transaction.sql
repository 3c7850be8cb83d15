-- SPDX-License-Identifier: Apache-2.0
-- Removes a transaction and moves its account's balance back. $6 transaction.
old AS MATERIALIZED (
    SELECT transactions.*, trace FROM transactions, fresh
    WHERE transactions.tenant_id = fresh.tenant_id AND transactions.id = $6
),
account AS (
    UPDATE accounts SET balance = balance - old.amount,
        transaction_count = transaction_count - 1, version = nextval('change')
    FROM old
    WHERE accounts.tenant_id = old.tenant_id AND accounts.id = old.account_id
        AND balance - old.amount BETWEEN -1000000000000000 AND 1000000000000000
    RETURNING accounts.*, trace
),
gone AS (
    DELETE FROM transactions USING account
    WHERE transactions.id = $6 AND transactions.account_id = account.id
),
told AS (
    INSERT INTO outbox (shard, version, tenant_id, trace, kind, payload)
    SELECT outbox_shard(tenant_id), version, tenant_id, trace, 'transaction.deleted',
        json_build_object('id', $6::uuid, 'account_id', id, 'currency', currency,
            'balance', balance)
    FROM account
),
result AS (
    SELECT 'ok' AS outcome, version, ARRAY[]::text[] AS reply FROM account
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM old)
                THEN 'id The balance of the account would pass its limit.'
                WHEN EXISTS (SELECT FROM transactions WHERE id = $6) THEN 'forbidden'
                ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM account)
)
