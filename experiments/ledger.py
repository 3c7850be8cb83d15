# SPDX-License-Identifier: Apache-2.0
"""Was every acknowledged write kept, none twice, and is every balance the sum of its account?

A ledger is a file of lines, separated by tabs: the transaction's id, its account, its value, its
memo. The memo of a write is unlike any other; all memos of a run begin with the same words. Writes
whose answer never came stand in no ledger: they may or may not have happened, but only once.
"""

WRONG_BALANCES = """
SELECT count(*) FROM (
    SELECT a.id FROM accounts a LEFT JOIN transactions t ON t.account_id = a.id
    GROUP BY a.id HAVING a.balance <> coalesce(sum(t.amount), 0)
                         OR a.transaction_count <> count(t.id)) AS wrong
"""
QUERIES = r"""
CREATE TEMP TABLE ledger (id uuid, account_id uuid, value bigint, memo text);
\copy ledger FROM '{path}'
CREATE TEMP TABLE written AS
SELECT id, account_id, amount, memo FROM transactions WHERE starts_with(memo, '{prefix}');
SELECT count(*) FROM ledger;
SELECT count(*) FROM ledger LEFT JOIN written USING (id, account_id, memo)
WHERE amount IS DISTINCT FROM value;
SELECT count(*) FROM written LEFT JOIN ledger USING (id) WHERE ledger.id IS NULL;
SELECT count(*) - count(DISTINCT memo) FROM written;
""" + WRONG_BALANCES + ";"
NAMES = ("acknowledged", "lost", "unacknowledged", "twice", "wrong_balances")


def verify(running, path, prefix):
    """How many writes were acknowledged, lost, done without an acknowledgement, done twice; and
    how many accounts of the whole database have a balance or count that is not their sum."""
    text = running.psql(QUERIES.format(path=path, prefix=prefix))
    return dict(zip(NAMES, map(int, text.split())))


def is_sound(verified):
    return not (verified["lost"] or verified["twice"] or verified["wrong_balances"])


def sentence(verified):
    return (f"{verified['acknowledged']} acknowledged writes: {verified['lost']} lost, "
            f"{verified['twice']} twice, {verified['unacknowledged']} more without an answer; "
            f"{verified['wrong_balances']} balances that are not their sums: "
            f"{'sound' if is_sound(verified) else 'NOT SOUND'}")
