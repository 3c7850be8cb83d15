-- SPDX-License-Identifier: Apache-2.0
-- Accounts and categories. Orders by name compare code points, so they are the same in every
-- database; searches use the database's own collation, which knows capitals with accents.

-- Limits of what stands in often written tables are domains: PostgreSQL reads all CHECK constraints
-- of a table anew in each statement that writes it, some 3 us each, also of columns that stay.
CREATE DOMAIN cents AS bigint CHECK (VALUE BETWEEN -1000000000000000 AND 1000000000000000);
CREATE DOMAIN tally AS integer CHECK (VALUE >= 0);
CREATE DOMAIN currency AS text CHECK (VALUE IN ('BRL', 'USD', 'EUR'));
CREATE DOMAIN account_type AS text
    CHECK (VALUE IN ('checking', 'savings', 'investment', 'credit'));
CREATE DOMAIN account_name AS text CHECK (char_length(VALUE) BETWEEN 3 AND 255);
CREATE DOMAIN account_number AS text CHECK (char_length(VALUE) <= 64);

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES users,
    bank_id uuid NOT NULL REFERENCES banks,
    balance cents NOT NULL DEFAULT 0, -- always the sum of the account's transactions
    version bigint NOT NULL,
    transaction_count tally NOT NULL DEFAULT 0, -- always their number
    currency currency NOT NULL,
    type account_type NOT NULL,
    name account_name NOT NULL,
    number account_number,
    UNIQUE (tenant_id, id)
) WITH (fillfactor = 70);
-- Balance, transaction_count and version move with every transaction and stand in no index: such
-- an update stays in its page (HOT), for which fillfactor leaves room.
CREATE INDEX accounts_by_name ON accounts (tenant_id, name COLLATE "C", id);
GRANT SELECT ON accounts TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO valorize_command;

CREATE TABLE categories (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES users,
    version bigint NOT NULL,
    is_default boolean NOT NULL,
    color text NOT NULL CHECK (color IN ('lavender', 'blue', 'green', 'yellow', 'red', 'rosewater',
        'flamingo', 'pink', 'mauve', 'maroon', 'peach', 'teal', 'sky', 'sapphire')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    description text CHECK (char_length(description) <= 255),
    UNIQUE (tenant_id, id)
);
CREATE INDEX categories_by_name ON categories (tenant_id, name COLLATE "C", id);
GRANT SELECT ON categories TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON categories TO valorize_command;
