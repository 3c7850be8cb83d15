// SPDX-License-Identifier: Apache-2.0
// The two questions about media types: may the answer be JSON, and is the body JSON.
#pragma once
#include "text.h"

// A missing Accept, */* and application/* allow it; the most exact range decides, q=0 forbids.
bool media_accepts_json(struct text accept);

// application/json or application/<x>+json, whatever parameters follow; a missing type is JSON.
bool media_is_json(struct text content_type);
