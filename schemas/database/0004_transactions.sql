-- SPDX-License-Identifier: Apache-2.0
-- Transactions. The currency is the account's; a change of amount moves the account's balance and
-- count in the same statement.
CREATE DOMAIN moment AS timestamptz
    CHECK (VALUE >= '1900-01-01 00:00Z' AND VALUE < '2200-01-01 00:00Z');
CREATE DOMAIN memo AS text CHECK (char_length(VALUE) <= 255);

CREATE TABLE transactions (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    category_id uuid,
    amount cents NOT NULL,
    date moment NOT NULL,
    version bigint NOT NULL,
    memo memo,
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, category_id) REFERENCES categories (tenant_id, id)
);
-- Lists read the head of an index and never sort more than they show: the tenant's own by date, all
-- else merged from the heads of its accounts, so that the other orders need one index each.
CREATE INDEX transactions_by_date ON transactions (tenant_id, date, id);
CREATE INDEX transactions_of_account_by_date ON transactions (account_id, date, id);
CREATE INDEX transactions_of_account_by_amount ON transactions (account_id, amount, id);
CREATE INDEX transactions_of_account_by_memo ON transactions (account_id, memo COLLATE "C", id);
CREATE INDEX transactions_of_category_by_date ON transactions (category_id, date, id)
    WHERE category_id IS NOT NULL;
GRANT SELECT ON transactions TO valorize_query;
GRANT SELECT, INSERT, UPDATE, DELETE ON transactions TO valorize_command;
