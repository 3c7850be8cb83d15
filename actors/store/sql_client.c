// SPDX-License-Identifier: Apache-2.0
#include "sql_client.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

enum { SERVER_VERSION_MIN = 150000 };

struct sql_client {
    PGconn *connection;
    PGresult *result; // of the last call
};

static void notice_ignore(void *context, const char *message) {
    (void)context;
    (void)message;
}

// libpq's messages may have several lines; the first says what happened.
static void sentence_fill(char *ret_sentence, size_t size, const char *before,
                          const char *message) {
    snprintf(ret_sentence, size, "%s%.*s", before, (int)strcspn(message, "\n"), message);
}

struct sql_client *sql_client_new(const char *url, char *ret_sentence, size_t size) {
    const char *keywords[] = {"connect_timeout", "fallback_application_name", "client_encoding",
                              "dbname", NULL};
    const char *values[] = {"5", "valorize", "UTF8", url, NULL};
    struct sql_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    client->connection = PQconnectdbParams(keywords, values, 1);
    ASSERT(client->connection != NULL);
    PQsetNoticeProcessor(client->connection, notice_ignore, NULL);
    if (PQstatus(client->connection) != CONNECTION_OK) {
        const char *message = PQerrorMessage(client->connection);
        snprintf(ret_sentence, size,
                 "PostgreSQL cannot be used: %.*s. Start it, or correct DATABASE_URL.",
                 (int)strcspn(message, "\n"), message);
        return sql_client_free(client);
    }
    if (PQserverVersion(client->connection) < SERVER_VERSION_MIN) {
        snprintf(ret_sentence, size, "This server is PostgreSQL %s; Valorize needs 15 or newer.",
                 PQparameterStatus(client->connection, "server_version"));
        return sql_client_free(client);
    }
    return client;
}

struct sql_client *sql_client_free(struct sql_client *client) {
    if (client == NULL)
        return NULL;
    PQclear(client->result);
    PQfinish(client->connection);
    free(client);
    return NULL;
}

// The line of the statement's character, counted from 1.
static uint32_t line_of(const char *sql, const char *position) {
    uint32_t line = 1;
    long characters = strtol(position, NULL, 10) - 1;
    for (; *sql != '\0' && characters > 0; sql++) {
        line += *sql == '\n';
        if (((unsigned char)sql[1] & 0xC0) != 0x80) // not inside a UTF-8 sequence
            characters--;
    }
    return line;
}

static bool result_check(struct sql_client *client, PGresult *result, const char *sql,
                         char *ret_sentence, size_t size) {
    PQclear(client->result);
    client->result = result;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
        return true;
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    char before[32] = "";
    if (position != NULL)
        snprintf(before, sizeof before, "line %u: ", line_of(sql, position));
    sentence_fill(ret_sentence, size, before,
                  message != NULL ? message : PQerrorMessage(client->connection));
    return false;
}

bool sql_client_run(struct sql_client *client, const char *sql, char *ret_sentence, size_t size) {
    return result_check(client, PQexec(client->connection, sql), sql, ret_sentence, size);
}

bool sql_client_query(struct sql_client *client, const char *sql, const char *const *values,
                      uint32_t value_count, char *ret_sentence, size_t size) {
    PGresult *result =
        PQexecParams(client->connection, sql, (int)value_count, NULL, values, NULL, NULL, 0);
    return result_check(client, result, sql, ret_sentence, size);
}

bool sql_client_query_binary(struct sql_client *client, const char *sql, const char *const *values,
                             uint32_t value_count, char *ret_sentence, size_t size) {
    PGresult *result =
        PQexecParams(client->connection, sql, (int)value_count, NULL, values, NULL, NULL, 1);
    return result_check(client, result, sql, ret_sentence, size);
}

uint32_t sql_client_rows(const struct sql_client *client) {
    return (uint32_t)PQntuples(client->result);
}

uint32_t sql_client_columns(const struct sql_client *client) {
    return (uint32_t)PQnfields(client->result);
}

const char *sql_client_cell(const struct sql_client *client, uint32_t row, uint32_t column) {
    ASSERT(row < sql_client_rows(client) && column < sql_client_columns(client));
    return PQgetvalue(client->result, (int)row, (int)column);
}

uint32_t sql_client_length(const struct sql_client *client, uint32_t row, uint32_t column) {
    ASSERT(row < sql_client_rows(client) && column < sql_client_columns(client));
    return (uint32_t)PQgetlength(client->result, (int)row, (int)column);
}

bool sql_client_is_null(const struct sql_client *client, uint32_t row, uint32_t column) {
    ASSERT(row < sql_client_rows(client) && column < sql_client_columns(client));
    return PQgetisnull(client->result, (int)row, (int)column) != 0;
}
