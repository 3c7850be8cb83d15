// SPDX-License-Identifier: Apache-2.0
// Under which names Redis keeps what a read returned. Pure.
#pragma once
#include "cache.h"
#include "document.h"
#include "handler.h"

// Of a page: its operation, the version of its reply, the request's canonical bytes, and the form
// of its document (document.h): builds that do not know the same forms do not share pages.
struct cache_id page_name(const struct operation *operation, struct text request,
                          enum document_form form);

// Of a total that is kept apart: its statement and parameters, whatever page it came with.
struct cache_id total_name(const struct bound *bound);
