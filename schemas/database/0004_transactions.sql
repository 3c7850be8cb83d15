-- SPDX-License-Identifier: Apache-2.0
-- Transactions. The currency is the account's; a change of amount moves the account's balance and
-- count in the same statement.
CREATE TABLE transactions (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    category_id uuid,
    amount bigint NOT NULL CHECK (amount BETWEEN -1000000000000000 AND 1000000000000000),
    date timestamptz NOT NULL CHECK (date >= '1900-01-01 00:00Z' AND date < '2200-01-01 00:00Z'),
    version bigint NOT NULL,
    memo text CHECK (char_length(memo) <= 255),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, category_id) REFERENCES categories (tenant_id, id)
);
-- One index an order, each of one account: a list of several accounts merges the heads of their
-- orders, so a tenant's index beside each would only make every write dearer.
CREATE INDEX transactions_by_date ON transactions (account_id, date, id);
CREATE INDEX transactions_by_amount ON transactions (account_id, amount, id);
CREATE INDEX transactions_by_memo ON transactions (account_id, memo COLLATE "C", id);
CREATE INDEX transactions_by_category ON transactions (category_id, date, id)
    WHERE category_id IS NOT NULL;
GRANT SELECT ON transactions TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON transactions TO valorize_command;
