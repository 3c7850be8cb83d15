-- SPDX-License-Identifier: Apache-2.0
-- Accounts and categories. Orders by name compare code points, so they are the same in every
-- database; searches use the database's own collation, which knows capitals with accents.

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES users,
    bank_id uuid NOT NULL REFERENCES banks,
    balance bigint NOT NULL DEFAULT 0 CHECK (balance BETWEEN -1000000000000000 AND 1000000000000000),
    version bigint NOT NULL,
    transaction_count integer NOT NULL DEFAULT 0 CHECK (transaction_count >= 0),
    currency text NOT NULL CHECK (currency IN ('BRL', 'USD', 'EUR')),
    type text NOT NULL CHECK (type IN ('checking', 'savings', 'investment', 'credit')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 3 AND 255),
    number text CHECK (char_length(number) <= 64),
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
    description text CHECK (char_length(description) <= 1000),
    UNIQUE (tenant_id, id)
);
CREATE INDEX categories_by_name ON categories (tenant_id, name COLLATE "C", id);
GRANT SELECT ON categories TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON categories TO valorize_command;
