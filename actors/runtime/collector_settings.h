// SPDX-License-Identifier: Apache-2.0
// Where spans go: OpenTelemetry's own variables, as its users know them. An edge reads them; the
// supervisor knows them, too, so that its --help has all there are.
#pragma once
#include "config.h"

struct collector_config {
    const char *endpoint; // "": there is no collector
    const char *headers;
    const char *certificates; // "": the system's
    const char *service;
    const char *resource;
    const char *sampler; // "": SAMPLER_ALWAYS
    const char *ratio; // "": 1
};

#define SAMPLER_RATIO "parentbased_traceidratio"
#define SAMPLER_ALWAYS "parentbased_always_on"

// clang-format off
#define COLLECTOR_SETTINGS(type, member) \
    {"OTEL_EXPORTER_OTLP_ENDPOINT", SETTING_TEXT, 0, 1000, "", \
     "collector of spans that speaks OTLP over HTTP (http://localhost:4318); without it, none", \
     offsetof(type, member.endpoint)}, \
    {"OTEL_EXPORTER_OTLP_HEADERS", SETTING_TEXT, 0, 4000, "", \
     "headers for the collector, name=value,name=value", offsetof(type, member.headers)}, \
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", SETTING_TEXT, 0, 4000, "", \
     "file of certificates to believe for https, instead of the system's", \
     offsetof(type, member.certificates)}, \
    {"OTEL_SERVICE_NAME", SETTING_TEXT, 0, 255, "", \
     "the service of all spans; without it, valorize", offsetof(type, member.service)}, \
    {"OTEL_RESOURCE_ATTRIBUTES", SETTING_TEXT, 0, 4000, "", \
     "attributes of all spans, name=value,name=value", offsetof(type, member.resource)}, \
    {"OTEL_TRACES_SAMPLER", SETTING_TEXT, 0, 64, "", \
     SAMPLER_ALWAYS " or " SAMPLER_RATIO "; without it, the latter", \
     offsetof(type, member.sampler)}, \
    {"OTEL_TRACES_SAMPLER_ARG", SETTING_TEXT, 0, 32, "", \
     "the part of requests that are traced, 0 to 1, where the client's traceparent does not " \
     "say it; without it, 1", offsetof(type, member.ratio)}
// clang-format on
