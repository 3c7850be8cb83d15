// SPDX-License-Identifier: Apache-2.0
#include "job.h"

#include "codec.h"
#include "digest.h"

void job_init(struct job *job, size_t arena_bytes) {
    arena_init(&job->arena, arena_bytes);
}

void job_deinit(struct job *job) {
    arena_deinit(&job->arena);
}

static enum status job_bind(struct job *job, struct failure *failure) {
    const struct message *message = job->handler->operation->request;
    job->request = arena_take(&job->arena, message->size);
    if (job->request == NULL)
        return STATUS_TOO_LARGE;
    enum status status = codec_decode(message, job->body, &job->arena, job->request);
    if (status != STATUS_OK)
        return status;
    binding_init(&job->binding, job->handler, &job->caller, &job->arena);
    status = handler_bind(job->handler, job->request, &job->binding, failure);
    return status == STATUS_OK && job->arena.overflow ? STATUS_TOO_LARGE : status;
}

// A command of nobody is about a new tenant: its id follows from the key (RFC 9562 version 8), so
// that a repeat meets the record of the first.
static struct uuid tenant_of_key(const uint8_t key[16]) {
    struct uuid tenant;
    digest_short(&(struct text){(const char *)key, 16}, 1, tenant.bytes);
    tenant.bytes[6] = (uint8_t)((tenant.bytes[6] & 0x0f) | 0x80);
    tenant.bytes[8] = (uint8_t)((tenant.bytes[8] & 0x3f) | 0x80);
    return tenant;
}

static void caller_fill(struct caller *caller, const struct envelope *envelope,
                        const struct operation *operation, struct text body) {
    caller->tenant = envelope->tenant;
    if (operation->kind != OPERATION_COMMAND)
        return;
    memcpy(caller->trace, envelope->trace, sizeof caller->trace);
    memcpy(caller->key, envelope->key, sizeof caller->key);
    caller->internal = (envelope->flags & FLAG_CLIENT_KEY) == 0;
    digest_short(&body, 1, caller->fingerprint);
    if (!operation->authenticated)
        caller->tenant = tenant_of_key(caller->key);
}

enum status job_begin(struct job *job, const struct handler *handler,
                      const struct delivery *delivery, const struct return_address *address,
                      struct failure *failure) {
    arena_reset(&job->arena);
    job->handler = handler;
    job->address = *address;
    job->deadline_us = delivery->deadline_us;
    job->begun_us = job->done_us = job->version = job->flags = 0;
    memcpy(job->trace, delivery->envelope.trace, sizeof job->trace);
    caller_fill(&job->caller, &delivery->envelope, handler->operation, delivery->body);
    failure_reset(failure);
    job->body = arena_copy(&job->arena, delivery->body);
    return job->body.bytes == NULL ? STATUS_TOO_LARGE : job_bind(job, failure);
}

enum status job_render(struct job *job, const struct result *result, struct arena *arena,
                       struct failure *failure, struct text *ret_document) {
    const struct operation *operation = job->handler->operation;
    struct page page = {0};
    failure_reset(failure);
    enum status status = handler_reply(job->handler, job->request, result, &page, failure);
    if (status == STATUS_OK && operation->form == REPLY_PAGE)
        status = render_address(operation, job->request, arena, &page);
    if (status == STATUS_OK && operation->form == REPLY_NONE)
        *ret_document = TEXT("");
    else if (status == STATUS_OK)
        status = render_reply(operation, &result->rows[0],
                              operation->form == REPLY_PAGE ? &page : NULL, arena, ret_document);
    if (status == STATUS_TOO_LARGE ||
        (status == STATUS_OK && ret_document->length > REPLY_BYTES_MAX))
        status = STATUS_INTERNAL; // more than the schema promises
    return status;
}

static uint32_t between_us(uint64_t from_us, uint64_t to_us) {
    return to_us > from_us ? (uint32_t)MIN(to_us - from_us, UINT32_MAX) : 0;
}

static struct reply_block job_block(const struct job *job, uint64_t now_us) {
    uint64_t begun_us = job->begun_us == 0 ? now_us : job->begun_us;
    return (struct reply_block){
        .version = job->version,
        .flags = job->flags,
        .wait_us = between_us(job->address.received_us, begun_us),
        .database_us = between_us(begun_us, job->done_us),
        .actor_us = between_us(job->address.received_us, now_us),
    };
}

void job_reply(struct job *job, struct session *session, struct text document, uint64_t now_us) {
    const struct reply_block block = job_block(job, now_us);
    session_reply(session, &job->address, job->handler->operation->success, 0, &block, document);
}

void job_refuse(struct job *job, struct session *session, enum status status,
                const struct failure *failure, struct arena *arena, uint64_t now_us) {
    struct text body = TEXT("");
    if (status == STATUS_INVALID)
        body = failure_encode(failure, arena);
    const struct reply_block block = job_block(job, now_us);
    session_reply(session, &job->address, status, RETRY_AFTER_S * 1000000U, &block, body);
}
