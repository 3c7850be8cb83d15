// SPDX-License-Identifier: Apache-2.0
// Every queue, table, retry and size of the system, with what happens at the limit.
// Sizes are bytes, times are milliseconds or microseconds as the name says.
#pragma once
#include <assert.h>

// --- the bus -----------------------------------------------------------------------------------
enum {
    BROKERS_MAX = 4, // more in VALORIZE_BROKERS: refuse to start
    IPC_PATH_BYTES_MAX = 100, // of a unix socket; longer: refuse to start
    FRAME_BYTES_MAX = 2 << 20, // longer: the bus drops the sender's connection
    HEARTBEAT_MS = 250, // from the loop, to every peer
    SUSPECT_MS = 750, // silent so long: no new work, reads are sent again
    GONE_MS = 1500, // silent so long: the session ends, "actor lost"
    REFUSED_MS = 5000, // a peer that was refused says hello again after so long
    REFUSED_TOLD_MS = 60000, // and so often it is logged, at both ends
    REFUSED_MAX = 16, // peers that a broker remembers to have refused; then the oldest is forgotten
    BUDGET_MARGIN_MS = 375, // an edge waits so much longer for a command than it gives others to
                            // begin it: so long may a frame be under way unnoticed
    CREDIT_HOLD_MS = 100, // an edge waits so long for credit, then 503
    ATTEMPTS_MAX = 3, // sends of one request; then its last failure stands
    DRAIN_MS = 8000, // from SIGTERM to exit
    GREET_MS_MAX = 2000, // an actor that cannot work by then, for want of PostgreSQL, greets its
                         // brokers all the same: who it refuses need not wait
    WINDOW_COMMAND = 64, // messages an actor accepts from each broker
    WINDOW_QUERY = 32,
    EDGE_WINDOW_INTERACTIVE = 2048, // messages a broker accepts from each edge; then the
    EDGE_WINDOW_COMMAND = 1024, // edge holds the request CREDIT_HOLD_MS, then 503
    EDGE_WINDOW_TASK = 256,
    EDGE_WINDOW_BULK = 256,
    EVENT_WINDOW_BYTES = 4 << 20, // events under way to an edge; then dropped with a gap
    REQUESTS_IN_FLIGHT_MAX = 8192, // of one edge over all brokers; then 503
    PEERS_MAX = 256, // sessions of one broker; then the hello is refused
    BROKER_MESSAGES_MAX = 16384, // queued in one broker; then 503 "busy"
    BROKER_QUEUE_MB = 64, // of memory for queued messages, unless configured; then 503 "busy"
    BROKER_QUEUE_MB_MIN = 8,
    BROKER_QUEUE_MB_MAX = 4096,
    BROKER_TENANTS_MAX = 16384, // tenants with queued messages; then 503 "busy"
    BROKER_IN_FLIGHT_MAX = 16384, // dispatched and unanswered; then messages stay queued
    BROKER_DRAIN_MS = 5000, // a draining broker relays replies so long
    BROKER_MISSED_MS = 500, // an actor whose connection broke is taken for dead when it has not
                            // greeted anew by then
    BROKER_NOBODY_MS = 2000, // an operation that has lost its last actor is held so long for
                             // another one; then 503, at once
    ACTORS_MAX = 64, // of the peers of one broker; then the hello is refused
    GROUPS_MAX = 16, // sets of operations that different classes of actors serve
    REQUEST_BYTES_MAX = 16 << 20, // frames of one edge's requests in flight; then 503
    TENANT_QUEUE_SHARE = 4, // one tenant has at most this part of an edge's window queued in a
                            // broker (429), and of an actor's window in hand while others wait
    SUSPECT_HOLD_MS = 25, // an edge waits so long before a request goes to another actor than the
                          // one that was lost with it: who died together with that one, of the same
                          // cause, is known to be dead by then
    SUSPECTS_MAX = 32, // of those whose actor hung, an actor has so many in hand; the others wait
    OVERDUE_MS = 500, // silent so long: no suspects. Less than another broker, which heard it up to
                      // HEARTBEAT_MS earlier, has waited when it tells that it is silent
    QUARANTINE_MAX = 64, // requests that one edge remembers as poison; then the one that is free
                         // soonest is forgotten
    QUARANTINE_S_MIN = 60, // so long it refuses a repeat; then one is tried, and if that costs an
    QUARANTINE_S_MAX = 3600, // actor, too, twice as long, up to this; forgotten so long afterwards
    TENANTLESS_QUEUE_SHARE = 2, // an edge's requests without a tenant have this part of its window
                                // queued (503): an edge that starts looks all its tokens up
};

// --- HTTP --------------------------------------------------------------------------------------
enum {
    HTTP_BODY_BYTES_MAX = 64 << 10, // 413
    HTTP_URL_BYTES_MAX = 8 << 10, // 414
    HTTP_PARAMETERS_MAX = 128, // pairs of a query string; 414
    HTTP_HEADER_BYTES_MAX = 8 << 10, // 431
    HTTP_CONNECTION_POOL_BYTES = 24 << 10,
    HTTP_CONNECTIONS_MAX = 20000, // further ones wait in the listen queue
    HTTP_HEADER_MS = 10000, // the connection is closed
    HTTP_BODY_MS = 30000, // 408, closed
    HTTP_IDLE_MS = 60000, // closed
    HTTP_DRAIN_IDLE_MS = 6500, // the same while an edge ends, before it does
    HTTP_SEND_MS = 60000, // an answer not taken so long: the connection is closed
    HTTP_BODIES_MAX = 4096, // requests with a body in hand at once; then 503
    HTTP_DISCARD_BYTES_MAX = 8 << 20, // of a body above the limit are read and dropped before
                                      // the 413; a longer one is cut off
    RETRY_AFTER_S = 1,
    IDEMPOTENCY_KEY_BYTES_MAX = 255, // 422
    TOKEN_CACHE_MS = 30000, // a resolved token is believed so long
    TOKEN_UNKNOWN_MS = 2000, // a refused one, so long
    SPANS_WAITING_MAX = 2048, // requests whose spans wait for the collector; then dropped, counted
    SPANS_BATCH_MAX = 128, // requests that it is told at once: some 512 spans
    SPANS_BATCH_MS = 1000, // a smaller batch waits so long for more
    SPANS_DEADLINE_MS = 10000, // of one message to the collector; then as if it were down
    SPANS_ATTEMPTS_MAX = 4, // of one message; then its spans are dropped, counted
    SPANS_PAUSE_MS_MIN = 1000, // between attempts; doubles, or what the collector asks for
    SPANS_PAUSE_MS_MAX = 30000,
    SPANS_FLUSH_MS = 1000, // an edge that ends waits so long for the collector
    NOTABLE_SLOW_MS = 1000, // an answer that takes so long has a line in the log
    NOTABLE_LINES_MAX = 20, // of an edge's log a second, about refusals and again about others;
                            // then they are counted
    RATE_LIMIT_MAX = 10000000, // requests a minute; more in VALORIZE_RATE_LIMIT: refuse to start
    RATE_TOKENS_MAX = 65536, // tokens an edge counts; then the quietest of its set begins anew
    RATE_EXCHANGE_MS = 250, // between what an edge tells Redis; Redis silent for so long: given up
    RATE_REPORTS_MAX = 256, // told in one go; the rest in the next one
};

// --- input -------------------------------------------------------------------------------------
enum {
    JSON_DEPTH_MAX = 8, // 422
    FIELDS_MAX = 64, // of one message; the compiler refuses more
    FIELD_ERRORS_MAX = 32, // reported at once; the rest is counted
    PARAMETERS_MAX = 32, // of one SQL statement; the compiler refuses more
    COLUMNS_MAX = 32, // of one reply row; the compiler refuses more
    ROWS_MAX = 500, // of one reply
    REPLY_BYTES_MAX = 1280 << 10, // 500 and a line in the log; reply_size_test: none is so long
    DOCUMENT_COMPRESS_BYTES_MIN = 4096, // shorter replies are not compressed
    PER_PAGE_MAX = 100,
    ACCOUNTS_PER_TENANT_MAX = 200, // 422
    CATEGORIES_PER_TENANT_MAX = 500, // 422
};
#define MONEY_MAX 1000000000000000LL // 10^15 either way, amounts and balances; 422

// --- store -------------------------------------------------------------------------------------
enum {
    BATCH_MEMBERS_MAX = 64, // commands in one transaction; the rest is the next batch
    BATCH_BYTES_MAX = 64 << 10, // encoded parameters of a batch
    READ_CONNECTIONS = 4, // of one query actor
    READ_IN_FLIGHT_MAX = 2, // statements on each of them; the rest waits, bounded by
                            // the window the actor grants
    DATABASE_BACKOFF_MS_MIN = 50,
    DATABASE_BACKOFF_MS_MAX = 2000,
    LOCK_TIMEOUT_MS = 500,
    CACHE_DEADLINE_MS = 30, // then the request goes to PostgreSQL
    CACHE_INVALIDATE_MS = 100, // then cache.bypass
    CACHE_BREAKER_MISSES = 2, // then CACHE_BREAKER_MS straight to PostgreSQL
    CACHE_BREAKER_MS = 1000,
    CACHE_PAGE_MS = 60000,
    CACHE_TOKEN_MS = 3600000,
    BULKHEAD_MS = 60000, // a tenant whose command failed by SQL error goes alone
    BULKHEAD_TENANTS_MAX = 256, // so isolated at once; then the one that is longest isolated is not
    BATCH_PROBE_MS = 50, // tenants locked by others are asked for again
    COMMANDS_IN_HAND_MAX = 256, // of one command actor; then 503 "busy"
    READS_IN_HAND_MAX = 256, // of one query actor; then 503 "busy"
    READ_ATTEMPTS_MAX = 3, // connections a read may be lost with; then 503
    DATABASE_HOLD_MS = 2000, // without a connection requests wait so long in all, then 503
    DATABASE_APART_MS = 50, // between the first attempts of a process's connections, and between
                            // their ends: a beginning costs the server 7 ms of CPU, an end 3
    DATABASE_CONNECT_MS = 5000, // a connection that is not ready by then is given up
    CACHE_TICKETS_MAX = 1024, // commands Redis has not answered; then as if it were down
    CACHE_FILL_BYTES_MAX = 8 << 20, // of pages under way to Redis; more are not kept
    CACHE_CONNECT_MS = 1000, // a connection that has not said by then who it is is given up
    CACHE_BACKOFF_MS_MIN = 50, // between attempts; grows up to CACHE_BREAKER_MS
    CACHE_BYPASSED_MAX = 256, // tenants whose invalidation was not confirmed; then all tenants
    CACHE_BYPASS_MS = 65000, // a tenant whose invalidation was not confirmed: a page's life and
                             // the longest read that may fill one
    CACHE_OWED_MAX = 4096, // tenants that one command actor owes Redis an invalidation; then the
                           // oldest is dropped
    CACHE_SETTLE_MS = 3000, // after Redis is back or events were missed: no page counts before
    HOUSEKEEPING_MS = 60000,
};

// --- the supervisor ----------------------------------------------------------------------------
enum {
    CLASS_COUNT_MAX = 32, // processes of one class; more: refuse to start
    RESTART_MS_MIN = 50, // before the first restart; then doubled, with jitter
    RESTART_MS_MAX = 5000, // between restarts of a process that is failing
    RESTART_EXITS_MAX = 5, // in RESTART_WINDOW_MS; above it the process is failing
    RESTART_WINDOW_MS = 30000,
    START_SILENT_MS = 30000, // a process that has never answered: killed, started again
    START_STEP_MS = 120000, // a step of the start that takes longer: `valorize up` gives up
    LOG_FILE_BYTES_MAX = 8 << 20, // then it becomes <name>.log.1, replacing the older one
    METRICS_MS = 500, // a process that has not told its metrics by then is down
    METRICS_PROCESSES_MAX = 256, // asked for metrics; further ones are left out
    METRICS_SCRAPES_MAX = 16, // requests for metrics at once; then 503
    METRICS_ANSWER_BYTES_MAX = (1 << 20) + 1, // a longer one is dropped: the process is down
    METRICS_FAMILIES_MAX = 512, // on one page; then 500
};

static_assert((int)REPLY_BYTES_MAX < (int)FRAME_BYTES_MAX, "a reply fits one frame");
static_assert(OVERDUE_MS <= SUSPECT_MS - HEARTBEAT_MS && OVERDUE_MS >= 2 * HEARTBEAT_MS,
              "whoever one broker doubts gets no suspects of another");
static_assert(SUSPECT_MS >= 3 * HEARTBEAT_MS && GONE_MS >= 2 * SUSPECT_MS,
              "two lost heartbeats are not a death");
static_assert((int)WINDOW_COMMAND <= (int)BATCH_MEMBERS_MAX, "a whole window is one batch");
static_assert((int)COMMANDS_IN_HAND_MAX >= (int)WINDOW_COMMAND * (int)BROKERS_MAX,
              "every broker's whole window has a place");
static_assert((int)READS_IN_HAND_MAX >= (int)WINDOW_QUERY * (int)BROKERS_MAX,
              "every broker's whole window has a place");
static_assert((int)HTTP_BODY_BYTES_MAX < (int)FRAME_BYTES_MAX, "a body fits one frame");
