-- SPDX-License-Identifier: Apache-2.0
-- A new user with three accounts, the ten default categories and a token for one day.
-- $5 fourteen new ids (token, accounts, categories), $6 SHA-256 of the secret, $7 the secret.
owner AS (
    INSERT INTO users (id, name, email)
    SELECT tenant_id, 'Load Test', 'load-test-' || tenant_id || '@example.com' FROM fresh
    RETURNING *
),
token AS (
    INSERT INTO tokens (id, tenant_id, expires_at, secret_hash, name)
    SELECT ($5::uuid[])[1], id, now() + interval '1 day', $6, 'load test' FROM owner
    RETURNING *
),
opened AS (
    INSERT INTO accounts (id, tenant_id, bank_id, version, currency, type, name, number)
    SELECT ($5::uuid[])[1 + place], owner.id, banks.id, nextval('change'), 'BRL', 'checking',
        account.name, account.number
    FROM owner, (VALUES
        (1, 'Conta Corrente', '10234-5', '001'),
        (2, 'Conta Digital', '7712345-0', '260'),
        (3, 'Conta Salário', '20981-7', '341')) AS account (place, name, number, code)
        JOIN banks USING (code)
),
sorted AS (
    INSERT INTO categories (id, tenant_id, version, is_default, color, name, description)
    SELECT ($5::uuid[])[4 + place], owner.id, nextval('change'), true, color, category.name,
        description
    FROM owner, (VALUES
        (1, 'Alimentação', 'red', 'Restaurantes, supermercados e delivery.'),
        (2, 'Transporte', 'blue', 'Combustível, transporte público e manutenção.'),
        (3, 'Compras', 'mauve', 'Vestuário, eletrônicos e outras compras.'),
        (4, 'Lazer', 'pink', 'Cinema, jogos e atividades de lazer.'),
        (5, 'Contas & Utilidades', 'peach', 'Energia, água, internet e telefone.'),
        (6, 'Saúde', 'green', 'Consultas médicas, farmácia e plano de saúde.'),
        (7, 'Educação', 'sapphire', 'Cursos, livros e materiais de estudo.'),
        (8, 'Viagens', 'teal', 'Passagens, hospedagens e passeios.'),
        (9, 'Receitas', 'sky', 'Salários, freelas e outras entradas.'),
        (10, 'Poupança', 'lavender', 'Reservas, investimentos e objetivos.'))
        AS category (place, name, color, description)
),
result AS (
    SELECT 'ok' AS outcome, owner.version, ARRAY[
        token.id || '|' || $7, owner.id::text, owner.email, token.expires_at::text] AS reply
    FROM owner, token
)
