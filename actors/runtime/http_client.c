// SPDX-License-Identifier: Apache-2.0
// libcurl's multi interface on epoll: it says which descriptors and which time to wait for.
#include "http_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>

struct exchange {
    struct http_client *client;
    void *request;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    uint32_t length;
    bool too_long;
};

struct endpoint { // a descriptor that libcurl waits for
    struct http_client *client;
    struct watch watch;
};

struct http_client {
    struct loop *loop;
    struct http_client_options options;
    CURLM *multi;
    struct timer timer;
    uint32_t exchanges;
    struct exchange **unanswered; // requests_max places
};

// --- exchanges ---------------------------------------------------------------------------------

// From here on another one may take its place.
static void exchange_leave(struct exchange *exchange) {
    struct http_client *client = exchange->client;
    for (uint32_t i = 0; i < client->exchanges; i++)
        if (client->unanswered[i] == exchange) {
            client->unanswered[i] = client->unanswered[--client->exchanges];
            break;
        }
    ASSERT(curl_multi_remove_handle(client->multi, exchange->easy) == CURLM_OK);
}

static void exchange_free(struct exchange *exchange) {
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    free(exchange->body);
    free(exchange);
}

static size_t exchange_receive(char *bytes, size_t one, size_t count, void *context) {
    struct exchange *exchange = context;
    size_t length = one * count;
    exchange->too_long = length > exchange->client->options.reply_bytes_max - exchange->length;
    if (exchange->too_long)
        return CURL_WRITEFUNC_ERROR;
    memcpy(exchange->body + exchange->length, bytes, length);
    exchange->length += (uint32_t)length;
    return length;
}

static void exchange_tell(struct exchange *exchange, CURLcode result) {
    struct http_client *client = exchange->client;
    struct http_reply reply = {.trouble = curl_easy_strerror(result)};
    long code = 0;
    curl_off_t retry_after_s = 0;
    if (exchange->too_long)
        reply.trouble = "The answer is too long";
    if (result == CURLE_OK) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &code); // 0 if it cannot
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        reply = (struct http_reply){
            .code = (int)code,
            .retry_after_s = (uint32_t)MIN(MAX(retry_after_s, 0), UINT32_MAX),
            .body = {exchange->body, exchange->length},
        };
    }
    client->options.on_reply(client->options.context, exchange->request, &reply);
}

static void client_settle(struct http_client *client) {
    int left;
    for (CURLMsg *said; (said = curl_multi_info_read(client->multi, &left)) != NULL;) {
        struct exchange *exchange;
        CURLcode result = said->data.result;
        if (said->msg != CURLMSG_DONE ||
            curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, &exchange) != CURLE_OK)
            continue;
        exchange_leave(exchange);
        exchange_tell(exchange, result);
        exchange_free(exchange);
    }
}

static bool exchange_add_headers(struct exchange *exchange, const char *const *headers) {
    for (uint32_t i = 0; headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(exchange->headers, headers[i]);
        if (longer == NULL)
            return false;
        exchange->headers = longer;
    }
    return true;
}

static bool exchange_set_body(CURL *easy, struct text body) {
    return body.bytes == NULL ||
           (curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body.length) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.bytes) == CURLE_OK);
}

// QUICK_EXIT: a name that is still looked up is not waited for when the deadline has come.
static bool exchange_describe(struct exchange *exchange, const struct http_call *call) {
    CURL *easy = exchange->easy;
    const char *certificates = exchange->client->options.certificates;
    return exchange_add_headers(exchange, call->headers) && exchange_set_body(easy, call->body) &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "valorize") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->deadline_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, exchange_receive) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK &&
           (certificates == NULL ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, certificates) == CURLE_OK);
}

bool http_client_send(struct http_client *client, const struct http_call *call) {
    if (client->exchanges == client->options.requests_max)
        return false;
    struct exchange *exchange = calloc(1, sizeof *exchange);
    ASSERT(exchange != NULL);
    exchange->client = client;
    exchange->request = call->request;
    exchange->body = malloc(client->options.reply_bytes_max);
    exchange->easy = curl_easy_init();
    // Only memory can be short: what a URL says is looked at later, and is trouble then.
    ASSERT(exchange->body != NULL && exchange->easy != NULL && exchange_describe(exchange, call));
    ASSERT(curl_multi_add_handle(client->multi, exchange->easy) == CURLM_OK);
    client->unanswered[client->exchanges++] = exchange;
    return true;
}

// --- what libcurl waits for --------------------------------------------------------------------

static void endpoint_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    struct endpoint *endpoint = CONTAINER_OF(watch, struct endpoint, watch);
    struct http_client *client = endpoint->client;
    int running, what = 0;
    (void)now_us;
    if ((epoll_events & ~(uint32_t)EPOLLOUT) != 0)
        what |= CURL_CSELECT_IN;
    if ((epoll_events & EPOLLOUT) != 0)
        what |= CURL_CSELECT_OUT;
    // May free the endpoint. What fails is the exchange, which is told so.
    (void)curl_multi_socket_action(client->multi, watch->descriptor, what, &running);
    client_settle(client);
}

static void client_time_has_come(struct timer *timer, uint64_t now_us) {
    struct http_client *client = CONTAINER_OF(timer, struct http_client, timer);
    int running;
    (void)now_us;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running); // as above
    client_settle(client);
}

static int client_wants_time(CURLM *multi, long timeout_ms, void *context) {
    struct http_client *client = context;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_clear(client->loop, &client->timer);
    else
        loop_timer_set(client->loop, &client->timer,
                       loop_now_us(client->loop) + (uint64_t)timeout_ms * 1000 + 1);
    return 0;
}

static struct endpoint *endpoint_new(struct http_client *client, curl_socket_t descriptor) {
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    ASSERT(endpoint != NULL);
    *endpoint = (struct endpoint){.client = client,
                                  .watch = {.descriptor = descriptor, .ready = endpoint_ready}};
    loop_watch(client->loop, &endpoint->watch, 0);
    ASSERT(curl_multi_assign(client->multi, descriptor, endpoint) == CURLM_OK);
    return endpoint;
}

static int client_wants_socket(CURL *easy, curl_socket_t descriptor, int what, void *context,
                               void *assigned) {
    struct http_client *client = context;
    struct endpoint *endpoint = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (endpoint != NULL)
            loop_unwatch(client->loop, &endpoint->watch);
        free(endpoint);
        return 0;
    }
    if (endpoint == NULL)
        endpoint = endpoint_new(client, descriptor);
    loop_rewatch(client->loop, &endpoint->watch,
                 ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) |
                     ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U));
    return 0;
}

// --- life --------------------------------------------------------------------------------------

static bool client_open(struct http_client *client) {
    const struct http_client_options *options = &client->options;
    client->unanswered =
        (struct exchange **)calloc(options->requests_max, sizeof(struct exchange *));
    client->multi = curl_multi_init();
    return client->unanswered != NULL && client->multi != NULL &&
           curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, client_wants_socket) ==
               CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, client_wants_time) ==
               CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                             (long)options->connections_max) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max) ==
               CURLM_OK;
}

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return NULL;
    struct http_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        curl_global_cleanup();
        return NULL;
    }
    client->loop = loop;
    client->options = *options;
    client->timer.fire = client_time_has_come;
    return client_open(client) ? client : http_client_free(client);
}

struct http_client *http_client_free(struct http_client *client) {
    if (client == NULL)
        return NULL;
    while (client->exchanges > 0) {
        struct exchange *exchange = client->unanswered[0];
        exchange_leave(exchange);
        exchange_free(exchange);
    }
    (void)curl_multi_cleanup(client->multi); // accepts NULL; nothing is left in it
    loop_timer_clear(client->loop, &client->timer);
    free((void *)client->unanswered);
    free(client);
    curl_global_cleanup();
    return NULL;
}
