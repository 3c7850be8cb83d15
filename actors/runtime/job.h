// SPDX-License-Identifier: Apache-2.0
// A message that an actor has in hand, from the bus to its reply: decoded, bound, and at the end
// turned into a document. What happens between, reading or writing, is its owner's.
#pragma once
#include "handler.h"
#include "session.h"

// Its arena holds the body, the decoded request and the parameters. Zero-initialized, then
// job_init; used again for one message after another.
struct job {
    const struct handler *handler;
    struct return_address address;
    uint64_t deadline_us;
    uint64_t begun_us; // when its statement was sent; 0: not yet
    uint64_t done_us; // when its result was there
    uint64_t version; // of what it read or wrote, for the reply; 0: none
    uint32_t flags; // REPLY_REPLAYED, REPLY_CACHED
    uint8_t trace[TRACE_BYTES];
    struct text body; // canonical bytes of the request
    void *request;
    struct caller caller; // now_us and random are the owner's, before job_begin
    struct binding binding;
    struct arena arena;
};

void job_init(struct job *job, size_t arena_bytes);
void job_deinit(struct job *job);

// Takes the message over: copies and decodes its body, binds its statements. A status other than
// STATUS_OK (details in failure) ends it.
MUST_USE enum status job_begin(struct job *job, const struct handler *handler,
                               const struct delivery *delivery,
                               const struct return_address *address, struct failure *failure);

// What the result means, and for a success its document (in the arena, which is for the reply).
MUST_USE enum status job_render(struct job *job, const struct result *result, struct arena *arena,
                                struct failure *failure, struct text *ret_document);

// Answers with a document, compressed or not (document.h). The job is over.
void job_reply(struct job *job, struct session *session, struct text document, uint64_t now_us);

// Answers with a failure; the arena is for its body. The job is over.
void job_refuse(struct job *job, struct session *session, enum status status,
                const struct failure *failure, struct arena *arena, uint64_t now_us);
