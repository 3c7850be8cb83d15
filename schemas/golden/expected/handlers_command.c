// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "messages.h"
#include "sql_command.h"

static const struct statement create_book_statements[] = {
    {"create_book",
     "WITH replay AS MATERIALIZED (\n"
     "SELECT fingerprint, version, reply FROM idempotency\n"
     "WHERE key = $2 AND tenant_id = $1 AND operation = 3\n"
     "    AND slot >= CASE WHEN $4 THEN 3 ELSE 0 END AND slot < CASE WHEN $4 THEN 6 ELSE 3 END\n"
     "),\n"
     "fresh AS MATERIALIZED (\n"
     "SELECT $1::uuid AS tenant_id, $5::text AS trace WHERE NOT EXISTS (SELECT FROM replay)\n"
     "),\n"
     "result AS (\n"
     "    SELECT 'ok' AS outcome, 1::bigint AS version, ARRAY[$6::text] AS reply FROM fresh\n"
     "),\n"
     "recorded AS (\n"
     "INSERT INTO idempotency (slot, tenant_id, operation, key, fingerprint, version, reply)\n"
     "SELECT idempotency_slot($4), $1, 3, $2, $3, version, reply\n"
     "FROM result WHERE outcome = 'ok'\n"
     ")\n"
     "SELECT outcome, false AS replayed, version, reply FROM result\n"
     "UNION ALL\n"
     "SELECT CASE WHEN fingerprint = $3 THEN 'ok' ELSE 'key_reused' END, true, version, reply FROM replay\n",
     6, 4},
};
static_assert(6 <= PARAMETERS_MAX, "create_book: too many parameters");

static const struct statement delete_book_statements[] = {
    {"delete_book",
     "WITH replay AS MATERIALIZED (\n"
     "SELECT fingerprint, version, reply FROM idempotency\n"
     "WHERE key = $2 AND tenant_id = $1 AND operation = 5\n"
     "    AND slot >= CASE WHEN $4 THEN 3 ELSE 0 END AND slot < CASE WHEN $4 THEN 6 ELSE 3 END\n"
     "),\n"
     "fresh AS MATERIALIZED (\n"
     "SELECT $1::uuid AS tenant_id, $5::text AS trace WHERE NOT EXISTS (SELECT FROM replay)\n"
     "),\n"
     "result AS (SELECT 'not_found' AS outcome, 1::bigint AS version, ARRAY[]::text[] AS reply\n"
     "           FROM fresh WHERE $6::uuid <> $7::uuid),\n"
     "recorded AS (\n"
     "INSERT INTO idempotency (slot, tenant_id, operation, key, fingerprint, version, reply)\n"
     "SELECT idempotency_slot($4), $1, 5, $2, $3, version, reply\n"
     "FROM result WHERE outcome = 'ok'\n"
     ")\n"
     "SELECT outcome, false AS replayed, version, reply FROM result\n"
     "UNION ALL\n"
     "SELECT CASE WHEN fingerprint = $3 THEN 'ok' ELSE 'key_reused' END, true, version, reply FROM replay\n",
     7, 4},
};
static_assert(7 <= PARAMETERS_MAX, "delete_book: too many parameters");
static const uint16_t delete_book_fields[] = {0, HANDLER_NEW_ID};

const struct handler handlers[] = {
    {&operations[2], create_book_statements, 1,
     create_book_bind, create_book_reply, NULL, 0},
    {&operations[3], delete_book_statements, 1,
     NULL, NULL, delete_book_fields, 2},
};
const uint32_t handler_count = 2;
