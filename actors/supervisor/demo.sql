-- SPDX-License-Identifier: Apache-2.0
-- The demo user: categories, three accounts and what happened in them during the last three months
-- (UTC). Balances and counts are made of the rows that are inserted.
-- $1 the user's id; $2 ids for all other rows, 120 are enough.
WITH ids AS (
    SELECT id, place FROM unnest($2::uuid[]) WITH ORDINALITY AS given (id, place)
), new_user AS (
    INSERT INTO users (id, name, email) VALUES ($1, 'Ana Souza', 'ana.souza@valorize.example')
), category AS (
    SELECT * FROM default_categories JOIN ids USING (place)
), new_categories AS (
    INSERT INTO categories (id, tenant_id, version, is_default, color, name, description)
    SELECT id, $1, nextval('change'), true, color, name, description FROM category
), account AS (
    SELECT id, account.* FROM (VALUES
        (11, 'checking', '341', 'Conta corrente Itaú', '7012 45231-9'),
        (12, 'savings', '104', 'Poupança da Caixa', '1340 013 00098127-4'),
        (13, 'credit', '260', 'Cartão Nubank', '5502')
    ) AS account (place, type, bank, name, number) JOIN ids USING (place)
), monthly (account, day, category, memo, amounts) AS (
    -- One amount a month, in turn.
    VALUES ('checking', 5, 'Receitas', 'Salário Estúdio Aurora', ARRAY[685000]),
        ('checking', 6, 'Contas & Utilidades', 'Aluguel', ARRAY[-195000]),
        ('checking', 10, 'Contas & Utilidades', 'Enel energia', ARRAY[-18743, -20312, -17698]),
        ('checking', 15, NULL, 'Pagamento da fatura Nubank', ARRAY[-131425, -118960, -142077]),
        ('checking', 20, 'Poupança', 'Pix para a poupança', ARRAY[-60000]),
        ('savings', 20, 'Poupança', 'Pix recebido de Ana Souza', ARRAY[60000]),
        ('savings', 22, 'Receitas', 'Rendimento da poupança', ARRAY[8215, 7894, 7530]),
        ('credit', 3, 'Lazer', 'Spotify', ARRAY[-2390]),
        ('credit', 8, 'Alimentação', 'Pão de Açúcar', ARRAY[-41287, -38954, -45210]),
        ('credit', 15, NULL, 'Pagamento recebido', ARRAY[131425, 118960, 142077]),
        ('credit', 18, 'Transporte', 'Posto Ipiranga', ARRAY[-24050, -22780, -25115]),
        ('credit', 25, 'Alimentação', 'iFood', ARRAY[-7490, -9260, -5880])
), once (account, days_ago, category, memo, amount) AS (
    VALUES ('checking', 89, NULL, 'Saldo anterior', 231055),
        ('savings', 89, 'Poupança', 'Saldo anterior', 1240000),
        ('credit', 89, NULL, 'Saldo anterior', -142077),
        ('credit', 71, 'Viagens', 'LATAM São Paulo-Recife', -78640),
        ('credit', 52, 'Saúde', 'Droga Raia', -13472),
        ('checking', 37, 'Receitas', 'Freela identidade visual', 120000),
        ('credit', 23, 'Educação', 'Livraria da Travessa', -16480),
        ('credit', 9, 'Compras', 'Magazine Luiza', -34990),
        ('credit', 2, 'Transporte', 'Uber', -2745)
), today (today) AS (
    VALUES ((now() AT TIME ZONE 'UTC')::date)
), month (month, turn) AS (
    SELECT (date_trunc('month', today) - turn * interval '1 month')::date, turn
    FROM today, generate_series(0, 3) AS turn
), happened AS (
    SELECT account, month + day - 1 AS date, category, memo,
        amounts[1 + turn % cardinality(amounts)] AS amount
    FROM monthly, month, today
    WHERE month + day - 1 > today - interval '3 months' AND month + day - 1 <= today
    UNION ALL
    SELECT account, today - days_ago, category, memo, amount FROM once, today
), entry AS (
    SELECT ids.id, account.id AS account_id, category.id AS category_id, amount,
        happened.date::timestamp AT TIME ZONE 'UTC' AS date, memo
    FROM (SELECT 13 + row_number() OVER (ORDER BY date, account, memo) AS place, * FROM happened)
            AS happened
        JOIN ids USING (place)
        JOIN account ON account.type = happened.account
        LEFT JOIN category ON category.name = happened.category
), new_accounts AS (
    INSERT INTO accounts (id, tenant_id, bank_id, version, currency, type, name, number, balance,
        transaction_count)
    SELECT account.id, $1, banks.id, nextval('change'), 'BRL', type, account.name, number,
        total.balance, total.count
    FROM account JOIN banks ON banks.code = account.bank,
        LATERAL (SELECT sum(amount) AS balance, count(*) AS count FROM entry
                 WHERE account_id = account.id) AS total
)
INSERT INTO transactions (id, tenant_id, account_id, category_id, amount, date, version, memo)
SELECT id, $1, account_id, category_id, amount, date, nextval('change'), memo
FROM entry ORDER BY date, id
