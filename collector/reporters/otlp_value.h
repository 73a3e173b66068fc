/* SPDX-License-Identifier: MIT */
/*
 * OTLP's attributes, and the Resource that stands for a worker. In: values of events, identities. Out: protobuf. No state; any
 * thread. Texts come out as valid UTF-8 without control characters, whatever the worker gave.
 */
#ifndef GB_REPORTERS_OTLP_VALUE_H
#define GB_REPORTERS_OTLP_VALUE_H

#include "collector/reporters/protobuf.h"
#include "gb/reporter.h"

#define OTLP_SCOPE_KEY "gb.scope"
#define OTLP_OVERFLOW "(overflow)"

/* A KeyValue. An integer beyond int64 becomes its decimal text: OTLP has no larger ones. */
void otlp_put_attribute(struct protobuf *out, uint32_t field, const char *key, size_t key_length,
                        const struct gb_event_value *value);
void otlp_put_text(struct protobuf *out, uint32_t field, const char *key, const char *text, size_t length);
void otlp_put_int(struct protobuf *out, uint32_t field, const char *key, int64_t value);

/* A string field. */
void otlp_put_string(struct protobuf *out, uint32_t field, const char *text, size_t length);

/* field 1: Resource. */
void otlp_put_resource(struct protobuf *out, const char *service, const char *instance, uint32_t pid,
                       const char *program, const char *host);
/* field 1: InstrumentationScope. */
void otlp_put_instrumentation(struct protobuf *out);

#endif
