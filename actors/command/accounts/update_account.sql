-- SPDX-License-Identifier: Apache-2.0
-- Replaces an account's fields; its currency only while it has no transactions.
-- $6 account, $7 name, $8 number, $9 currency, $10 type, $11 bank.
old AS MATERIALIZED (
    SELECT accounts.* FROM accounts, fresh
    WHERE accounts.tenant_id = fresh.tenant_id AND accounts.id = $6
),
account AS (
    UPDATE accounts SET name = $7, number = $8, currency = $9, type = $10, bank_id = banks.id,
        version = nextval('change')
    FROM old, banks
    WHERE accounts.tenant_id = old.tenant_id AND accounts.id = old.id AND banks.id = $11
        AND (old.currency = $9 OR old.transaction_count = 0)
    RETURNING accounts.*
),
result AS (
    SELECT 'ok' AS outcome, account.version, ARRAY[
        account.id::text, account.name, account.number, account.balance::text, account.currency,
        account.currency, account.type, banks.id::text, banks.code, banks.name] AS reply
    FROM account JOIN banks ON banks.id = account.bank_id
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT FROM old) THEN (
            SELECT concat_ws(E'\n',
                CASE WHEN currency <> $9 AND transaction_count > 0
                     THEN 'currency The currency of an account with transactions stays.' END,
                CASE WHEN NOT EXISTS (SELECT FROM banks WHERE id = $11)
                     THEN 'bank_id The selected bank id is invalid.' END)
            FROM old)
        WHEN EXISTS (SELECT FROM accounts WHERE id = $6) THEN 'forbidden'
        ELSE 'not_found' END, NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM account)
)
