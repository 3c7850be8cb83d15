-- SPDX-License-Identifier: Apache-2.0
-- Opens an account; a tenant has at most 200.
-- $6 new id, $7 name, $8 number, $9 currency, $10 type, $11 bank.
account AS (
    INSERT INTO accounts (id, tenant_id, bank_id, version, currency, type, name, number)
    SELECT $6, tenant_id, banks.id, nextval('change'), $9, $10, $7, $8
    FROM fresh JOIN banks ON banks.id = $11
    WHERE (SELECT count(*) FROM accounts WHERE tenant_id = $1) < 200
    RETURNING *
),
result AS (
    SELECT 'ok' AS outcome, account.version, ARRAY[
        account.id::text, account.name, account.number, account.balance::text, account.currency,
        account.currency, account.type, banks.id::text, banks.code, banks.name] AS reply
    FROM account JOIN banks ON banks.id = account.bank_id
    UNION ALL
    SELECT concat_ws(E'\n',
        CASE WHEN NOT EXISTS (SELECT FROM banks WHERE id = $11)
             THEN 'bank_id The selected bank id is invalid.' END,
        CASE WHEN (SELECT count(*) FROM accounts WHERE tenant_id = $1) >= 200
             THEN 'accounts There are 200 accounts already, which is the limit.' END), NULL, NULL
    FROM fresh WHERE NOT EXISTS (SELECT FROM account)
)
