-- SPDX-License-Identifier: Apache-2.0
-- $1 tenant; $2 first and $3 last instant; $4 accounts and $5 categories, each NULL for all;
-- $6 least and $7 greatest amount (the type is a sign); $8 text to find in the memo (an ILIKE
-- pattern) or NULL; $9 offset, $10 limit. Shapes without such filters have offset and limit as $4
-- and $5, total_of_accounts has the accounts as $2.
--
-- A page is read from the head of an index: the tenant's own by date where no account is given,
-- else a merge of its accounts' heads, each offset + limit long, or of the given categories'. So it
-- costs the same whatever an account holds; what the page shows is joined for its rows alone. But
-- a tenant's accounts are few: they are read once, with their banks: cheaper than once a row.
-- The total of whole accounts stands in them, the others are counted.
--
-- Twelve shapes make a page (by date from three sources and by date alone, by amount and memo from
-- the accounts, each in both directions), four its total. What is no condition of the order's own
-- index stands in one CASE, of which the planner assumes that half the rows pass: otherwise, not
-- knowing the values, it would rather read another index by them and sort.
-- Indexes: transactions_by_date, transactions_of_account_by_date, _by_amount, _by_memo,
-- transactions_of_category_by_date.

-- block page
WITH own AS MATERIALIZED (
    SELECT accounts.id, accounts.name, number, balance, currency, type, bank_id, code AS bank_code,
        banks.name AS bank_name
    FROM accounts JOIN banks ON banks.id = bank_id
    WHERE tenant_id = $1
)
SELECT page.id, page.amount, own.currency, NULL AS fitid, page.memo,
    CASE WHEN page.amount < 0 THEN 'debit' ELSE 'credit' END AS type, page.date,
    categories.id, categories.name, categories.description, categories.color,
    categories.is_default,
    own.id, own.name, own.number, own.balance, own.currency, own.currency, own.type,
    own.bank_id, own.bank_code, own.bank_name, '[]' AS splits
FROM (
-- block all
    SELECT * FROM transactions AS page
    WHERE tenant_id = $1
-- block of_accounts
    SELECT page.* FROM (
        SELECT id FROM accounts
        WHERE tenant_id = $1 AND ($4::uuid[] IS NULL OR id = ANY ($4))) AS source, LATERAL (
        SELECT * FROM transactions AS page
        WHERE account_id = source.id
-- block of_categories
    SELECT page.* FROM (
        SELECT id FROM categories
        WHERE tenant_id = $1 AND id = ANY ($5::uuid[])) AS source, LATERAL (
        SELECT * FROM transactions AS page
        WHERE category_id = source.id
-- block by_date
            AND date BETWEEN $2 AND $3
-- block by_amount
            AND amount BETWEEN $6 AND $7
-- block filter
            AND CASE WHEN date BETWEEN $2 AND $3 AND amount BETWEEN $6 AND $7
                AND ($4::uuid[] IS NULL OR account_id = ANY ($4))
                AND ($5::uuid[] IS NULL OR category_id = ANY ($5))
                AND ($8::text IS NULL OR memo ILIKE $8 ESCAPE '\') THEN true END
-- block newest
    ORDER BY page.date DESC, page.id DESC
-- block oldest
    ORDER BY page.date, page.id
-- block most
    ORDER BY page.amount DESC, page.id DESC
-- block least
    ORDER BY page.amount, page.id
-- block z_to_a
    ORDER BY page.memo COLLATE "C" DESC, page.id DESC
-- block a_to_z
    ORDER BY page.memo COLLATE "C", page.id
-- block heads
        LIMIT $9::bigint + $10::bigint) AS page
-- block cut
    OFFSET $9 LIMIT $10) AS page
-- block cut_days
    OFFSET $4 LIMIT $5) AS page
-- block joined
JOIN own ON own.id = page.account_id
LEFT JOIN categories ON categories.id = page.category_id
-- block total_of_accounts
SELECT coalesce(sum(transaction_count), 0) FROM accounts
WHERE tenant_id = $1 AND ($2::uuid[] IS NULL OR id = ANY ($2))
-- block total_of_days
SELECT count(*) FROM transactions WHERE tenant_id = $1 AND date BETWEEN $2 AND $3
-- block count
SELECT count(*) FROM (
-- block counted
        ) AS page) AS total

-- shape newest = page all by_date newest cut_days joined newest
-- shape oldest = page all by_date oldest cut_days joined oldest
-- shape filtered_newest = page all by_date filter newest cut joined newest
-- shape filtered_oldest = page all by_date filter oldest cut joined oldest
-- shape of_accounts_newest = page of_accounts by_date filter newest heads newest cut joined newest
-- shape of_accounts_oldest = page of_accounts by_date filter oldest heads oldest cut joined oldest
-- shape of_accounts_most = page of_accounts by_amount filter most heads most cut joined most
-- shape of_accounts_least = page of_accounts by_amount filter least heads least cut joined least
-- shape of_accounts_z_to_a = page of_accounts filter z_to_a heads z_to_a cut joined z_to_a
-- shape of_accounts_a_to_z = page of_accounts filter a_to_z heads a_to_z cut joined a_to_z
-- shape of_categories_newest = page of_categories by_date filter newest heads newest cut joined newest
-- shape of_categories_oldest = page of_categories by_date filter oldest heads oldest cut joined oldest
-- shape total_of_accounts = total_of_accounts
-- shape total_of_days = total_of_days
-- shape total_of_accounts_filtered = count of_accounts by_date filter counted
-- shape total_of_categories_filtered = count of_categories by_date filter counted
