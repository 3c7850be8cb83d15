-- SPDX-License-Identifier: Apache-2.0
-- A new user with three accounts, the ten default categories and a token for one day.
-- $6 fourteen new ids (token, accounts, categories), $7 SHA-256 of the secret, $8 the secret.
owner AS (
    INSERT INTO users (id, name, email)
    SELECT tenant_id, 'Load Test', 'load-test-' || tenant_id || '@example.com' FROM fresh
    RETURNING *
),
token AS (
    INSERT INTO tokens (id, tenant_id, expires_at, secret_hash, name)
    SELECT ($6::uuid[])[1], id, now() + interval '1 day', $7, 'load test' FROM owner
    RETURNING *
),
opened AS (
    INSERT INTO accounts (id, tenant_id, bank_id, version, currency, type, name, number)
    SELECT ($6::uuid[])[1 + place], owner.id, banks.id, nextval('change'), 'BRL', 'checking',
        account.name, account.number
    FROM owner, (VALUES
        (1, 'Conta Corrente', '10234-5', '001'),
        (2, 'Conta Digital', '7712345-0', '260'),
        (3, 'Conta Salário', '20981-7', '341')) AS account (place, name, number, code)
        JOIN banks USING (code)
),
sorted AS (
    INSERT INTO categories (id, tenant_id, version, is_default, color, name, description)
    SELECT ($6::uuid[])[4 + place], owner.id, nextval('change'), true, color,
        default_categories.name, description
    FROM owner, default_categories
),
result AS (
    SELECT 'ok' AS outcome, owner.version, ARRAY[
        token.id || '|' || $8, owner.id::text, owner.email, token.expires_at::text] AS reply
    FROM owner, token
)
