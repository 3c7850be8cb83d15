// SPDX-License-Identifier: Apache-2.0
// The addresses of brokers: ipc:// on one machine, tcp:// between machines. What is sent over ipc
// is guarded by the folder it lies in, over loopback by the machine; anything else needs keys.
#pragma once
#include "contract.h"
#include "text.h"

// NULL: it may be used. Else what is wrong with it: "..., <sentence>" after its name.
const char *endpoint_refusal(struct text endpoint, bool has_keys);

bool endpoint_is_tcp(struct text endpoint);

// The same of the first one of a comma list that may not be used. ret_tcp: there are some that keys
// are for.
const char *endpoints_refusal(const char *list, bool has_keys, struct text *ret_endpoint,
                              bool *ret_tcp);
