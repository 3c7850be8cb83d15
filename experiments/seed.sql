-- SPDX-License-Identifier: Apache-2.0
-- The data of the measurements, straight into the database; run by experiments/seed, which sets
-- :seed, :tenants, :per_tenant, :first_day, :days, :long and :short.
--
-- Everything is made of md5(seed, kind, number), so a seed makes the same ids, amounts and dates on
-- any machine. Rows are inserted in the order of their dates, all tenants mixed, as a life of two
-- years would have left them: a tenant's rows lie scattered over the table.
\set ON_ERROR_STOP on

-- What an earlier seed has left, and what measurements have added to it, in a transaction of its
-- own; what is left is written anew, so that a second seed lies on the disk like a first.
BEGIN;
CREATE TEMP TABLE former ON COMMIT DROP AS
SELECT id FROM users WHERE email LIKE 'seed-%@valorize.invalid';
DELETE FROM transactions WHERE tenant_id IN (SELECT id FROM former);
DELETE FROM outbox WHERE tenant_id IN (SELECT id FROM former);
DELETE FROM idempotency WHERE tenant_id IN (SELECT id FROM former);
DELETE FROM accounts WHERE tenant_id IN (SELECT id FROM former);
DELETE FROM categories WHERE tenant_id IN (SELECT id FROM former);
DELETE FROM tokens WHERE tenant_id IN (SELECT id FROM former);
DELETE FROM users WHERE id IN (SELECT id FROM former);
COMMIT;
VACUUM (FULL) transactions, accounts, categories, tokens, users, outbox;

BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL synchronous_commit = off;
SET LOCAL timezone = 'UTC';
SET LOCAL work_mem = '256MB';
SET LOCAL maintenance_work_mem = '256MB';

-- 32 hexadecimal digits.
CREATE FUNCTION pg_temp.chance(seed text, kind text, number bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT md5(seed || ':' || kind || ':' || number) $$;

-- A UUIDv7 of a time and such digits.
CREATE FUNCTION pg_temp.id(at timestamptz, chance text) RETURNS uuid LANGUAGE sql STABLE
AS $$ SELECT (lpad(to_hex((date_part('epoch', at) * 1000)::bigint), 12, '0') || '7'
              || substr(chance, 1, 3) || 'a' || substr(chance, 4, 15))::uuid $$;

-- A number below `bound`, from seven of them.
CREATE FUNCTION pg_temp.pick(chance text, place integer, bound integer) RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$ SELECT (('x' || substr(chance, place, 7))::bit(28)::integer % bound) $$;

-- Tenants 1 to :tenants, and 0, who has the long and the short account.
CREATE TEMP TABLE tenant ON COMMIT DROP AS
SELECT n, pg_temp.id(at, pg_temp.chance(:'seed', 'user', n)) AS id, at,
       pg_temp.id(at, pg_temp.chance(:'seed', 'token', n)) AS token,
       pg_temp.chance(:'seed', 'secret', n) || left(pg_temp.chance(:'seed', 'more', n), 8) AS secret
FROM (SELECT n, :'first_day'::timestamptz - make_interval(mins => n) AS at
      FROM generate_series(0, :tenants) AS n) AS tenant;

INSERT INTO users (id, created_at, name, email)
SELECT id, at, 'Carga ' || n, 'seed-' || n || '@valorize.invalid' FROM tenant ORDER BY n;

INSERT INTO tokens (id, tenant_id, created_at, secret_hash, name)
SELECT token, id, at, sha256(convert_to(secret, 'UTF8')), 'seed' FROM tenant ORDER BY n;

CREATE TEMP TABLE category ON COMMIT DROP AS
SELECT tenant.n, k, pg_temp.id(at, pg_temp.chance(:'seed', 'category ' || k, tenant.n)) AS id
FROM tenant, generate_series(1, 10) AS k;

INSERT INTO categories (id, tenant_id, version, is_default, name, description, color)
SELECT category.id, tenant.id, nextval('change'), true, known.name, known.description, known.color
FROM tenant JOIN category USING (n) JOIN default_categories AS known ON known.place = k
ORDER BY tenant.n, k;

CREATE TEMP TABLE account ON COMMIT DROP AS
SELECT tenant.n, k, pg_temp.id(at, pg_temp.chance(:'seed', 'account ' || k, tenant.n)) AS id
FROM tenant, generate_series(1, 3) AS k;
CREATE INDEX ON account (n, k);

-- Which account, category, amount and second; tenant 0 has its own numbers of each account.
CREATE TEMP TABLE planned ON COMMIT DROP AS
SELECT planned.n, planned.k, chance,
       :'first_day'::timestamptz + make_interval(days => pg_temp.pick(chance, 1, :days)) AS date,
       CASE WHEN pg_temp.pick(chance, 8, 12) = 0 THEN 100000 + pg_temp.pick(chance, 15, 900000)
            ELSE -100 - pg_temp.pick(chance, 15, 50000) END::bigint AS amount,
       nullif(pg_temp.pick(chance, 22, 11), 0) AS category, pg_temp.pick(chance, 25, 40) AS shop
FROM (
    SELECT (number - 1) / :per_tenant + 1 AS n, pg_temp.pick(chance, 3, 3) + 1 AS k, chance
    FROM (SELECT number, pg_temp.chance(:'seed', 'transaction', number) AS chance
          FROM generate_series(1, :tenants::bigint * :per_tenant) AS number) AS many
    UNION ALL
    SELECT 0, CASE WHEN number <= :long THEN 1 ELSE 2 END, pg_temp.chance(:'seed', 'long', number)
    FROM generate_series(1, :long + :short) AS number
) AS planned;
ANALYZE tenant, category, account, planned;

INSERT INTO accounts (id, tenant_id, bank_id, balance, version, transaction_count, currency, type,
                      name, number)
SELECT account.id, tenant.id, bank.id, coalesce(sum(planned.amount), 0), nextval('change'),
       count(planned.n), 'BRL', 'checking', 'Conta ' || k, lpad((n * 10 + k)::text, 6, '0')
FROM account JOIN tenant USING (n) LEFT JOIN planned USING (n, k)
JOIN LATERAL (SELECT id FROM banks ORDER BY code OFFSET (n * 3 + k) % 40 LIMIT 1) AS bank ON true
GROUP BY n, k, account.id, tenant.id, bank.id ORDER BY n, k;

INSERT INTO transactions (id, tenant_id, account_id, category_id, amount, date, version, memo)
SELECT pg_temp.id(planned.date, planned.chance), tenant.id, account.id, category.id, amount,
       planned.date, nextval('change'), 'Compra no estabelecimento ' || shop
FROM planned JOIN tenant USING (n) JOIN account USING (n, k)
LEFT JOIN category ON category.n = planned.n AND category.k = planned.category
ORDER BY planned.date, planned.chance;

\pset format unaligned
\pset tuples_only on
\pset fieldsep '\t'
\o :tenants_file
SELECT tenant.token || '|' || tenant.secret, one.id, two.id, three.id,
       (SELECT string_agg(category.id::text, ',' ORDER BY k) FROM category WHERE n = tenant.n)
FROM tenant
JOIN account AS one ON one.n = tenant.n AND one.k = 1
JOIN account AS two ON two.n = tenant.n AND two.k = 2
JOIN account AS three ON three.n = tenant.n AND three.k = 3
ORDER BY tenant.n;
\o
COMMIT;
VACUUM (ANALYZE) users, tokens, accounts, categories, transactions, outbox;
-- The disk is quiet when a measurement begins, where we may ask for it.
DO $$ BEGIN
    EXECUTE 'CHECKPOINT';
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END $$;
