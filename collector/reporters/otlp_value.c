/* SPDX-License-Identifier: MIT */
/* See otlp_value.h. Field numbers: opentelemetry/proto/common/v1/common.proto and resource.proto. */
#include "collector/reporters/otlp_value.h"

#include <stdlib.h>
#include <string.h>

#include "collector/reporters/number.h"
#include "collector/utf8.h"

enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_DOUBLE = 4 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { INSTRUMENTATION_NAME = 1, INSTRUMENTATION_VERSION = 2 };

#define CLEAN_MAX 1024 /* longer texts than workers can write are cut */

static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    return true;
}

void otlp_put_string(struct protobuf *out, uint32_t field, const char *text, size_t length)
{
    char clean[CLEAN_MAX];
    if (is_plain(text, length)) {
        protobuf_bytes(out, field, text, length);
        return;
    }
    length = utf8_clean(clean, sizeof(clean), text, length);
    protobuf_bytes(out, field, clean, length);
}

static void put_any(struct protobuf *out, const struct gb_event_value *value)
{
    char digits[NUMBER_MAX];
    switch (value->type) {
    case GB_VALUE_BOOL:
        protobuf_uint(out, ANY_BOOL, value->as.boolean);
        break;
    case GB_VALUE_INT:
        protobuf_int(out, ANY_INT, value->as.i);
        break;
    case GB_VALUE_UINT:
        if (value->as.u <= INT64_MAX)
            protobuf_uint(out, ANY_INT, value->as.u);
        else
            protobuf_bytes(out, ANY_STRING, digits, (size_t)(number_put_uint(digits, value->as.u) - digits));
        break;
    case GB_VALUE_DOUBLE:
        protobuf_double(out, ANY_DOUBLE, value->as.d);
        break;
    case GB_VALUE_TEXT:
        otlp_put_string(out, ANY_STRING, value->as.text, value->length);
        break;
    default: /* null: a value without content */
        break;
    }
}

void otlp_put_attribute(struct protobuf *out, uint32_t field, const char *key, size_t key_length,
                        const struct gb_event_value *value)
{
    size_t pair = protobuf_begin(out, field);
    otlp_put_string(out, KEY_VALUE_KEY, key, key_length);
    size_t any = protobuf_begin(out, KEY_VALUE_VALUE);
    put_any(out, value);
    protobuf_end(out, any);
    protobuf_end(out, pair);
}

void otlp_put_text(struct protobuf *out, uint32_t field, const char *key, const char *text, size_t length)
{
    const struct gb_event_value value = {.type = GB_VALUE_TEXT, .length = (uint32_t)length, .as.text = text};
    otlp_put_attribute(out, field, key, strlen(key), &value);
}

void otlp_put_int(struct protobuf *out, uint32_t field, const char *key, int64_t number)
{
    const struct gb_event_value value = {.type = GB_VALUE_INT, .as.i = number};
    otlp_put_attribute(out, field, key, strlen(key), &value);
}

void otlp_put_resource(struct protobuf *out, const char *service, const char *instance, uint32_t pid,
                       const char *program, const char *host)
{
    size_t resource = protobuf_begin(out, 1);
    otlp_put_text(out, RESOURCE_ATTRIBUTES, "service.name", service, strlen(service));
    otlp_put_text(out, RESOURCE_ATTRIBUTES, "service.instance.id", instance, strlen(instance));
    otlp_put_int(out, RESOURCE_ATTRIBUTES, "process.pid", pid);
    otlp_put_text(out, RESOURCE_ATTRIBUTES, "process.executable.name", program, strlen(program));
    otlp_put_text(out, RESOURCE_ATTRIBUTES, "host.name", host, strlen(host));
    protobuf_end(out, resource);
}

void otlp_put_instrumentation(struct protobuf *out)
{
    size_t scope = protobuf_begin(out, 1);
    protobuf_text(out, INSTRUMENTATION_NAME, "gb-telemetry");
    protobuf_text(out, INSTRUMENTATION_VERSION, GB_VERSION);
    protobuf_end(out, scope);
}
