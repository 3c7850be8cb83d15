// SPDX-License-Identifier: Apache-2.0
// A long document that is cached is compressed once, by the actor that has rendered it, and
// expanded only by the edge. On the bus and in Redis a document is either itself or
//
//     0  00          no JSON document begins with it
//     1  u32         bytes of the document, little-endian
//     5  an LZ4 block
//
// because a list of 10 KB repeats its accounts and categories and shrinks to a quarter, while four
// hops copy it and ZeroMQ takes what is above 8 KB in pieces. One that is not cached goes as it is:
// compressing it costs as much as the hops.
#pragma once
#include "arena.h"

enum { DOCUMENT_HEAD_BYTES = 5 };

// Plain is what everybody understands; a sender that says FLAG_EXPANDS, compressed ones, too.
enum document_form { DOCUMENT_PLAIN, DOCUMENT_COMPRESSED };

// The compressed form, in the arena; the document itself where it is shorter than
// DOCUMENT_COMPRESS_BYTES_MIN, does not shrink, or the arena is full (its overflow tells nothing).
struct text document_compress(struct text document, struct arena *arena);

// The other way; what is not compressed comes back as it is. False: malformed, longer than
// REPLY_BYTES_MAX, or the arena is full.
MUST_USE bool document_expand(struct text document, struct arena *arena, struct text *ret_document);
