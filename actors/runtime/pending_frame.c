// SPDX-License-Identifier: Apache-2.0
// The frame that a requester keeps of each request until it is answered, to send it again.
#include "bytes.h"
#include "requester_state.h"

void pending_write(const struct requester *requester, struct pending *pending,
                   const struct outgoing *outgoing) {
    const struct operation *operation = outgoing->operation;
    struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = KIND_REQUEST,
        .flags = (uint16_t)((outgoing->flags & (FLAG_KEEP | FLAG_EXPANDS)) |
                            (outgoing->key != NULL ? FLAG_CLIENT_KEY : 0) |
                            (pending->read_only ? FLAG_READ_ONLY : 0) |
                            (pending->suspect ? FLAG_SUSPECT : 0)),
        .operation = operation->number,
        .schema = operation->reply_version,
        .lane = operation->lane,
        .tenant = outgoing->tenant,
        .session = requester->dial.hello.instance,
        .correlation = pending->correlation,
    };
    if (outgoing->key != NULL) {
        memcpy(envelope.key, outgoing->key, sizeof envelope.key);
    } else {
        bytes_put_u64(envelope.key, envelope.session);
        bytes_put_u64(envelope.key + 8, envelope.correlation);
    }
    if (outgoing->trace != NULL)
        memcpy(envelope.trace, outgoing->trace, sizeof envelope.trace);
    envelope_write(&envelope, pending->frame);
    if (outgoing->body.length > 0)
        memcpy(pending->frame + ENVELOPE_BYTES, outgoing->body.bytes, outgoing->body.length);
}

struct envelope pending_envelope(const struct pending *pending) {
    struct envelope envelope;
    if (!envelope_read((struct text){pending->frame, pending->length}, &envelope))
        UNREACHABLE();
    return envelope;
}

struct demand pending_demand(const struct pending *pending) {
    struct text body = {pending->frame + ENVELOPE_BYTES, pending->length - ENVELOPE_BYTES};
    return (struct demand){pending->tenant, pending_envelope(pending).operation, body};
}
