/* SPDX-License-Identifier: MIT */
/*
 * Text of workers in the formats of other systems, against readers that know nothing of what wrote it: a label of Prometheus and of
 * OpenMetrics reads back to its value; a name and a tag of StatsD cannot end themselves, their datagram or their line; a string of
 * OTLP is valid UTF-8 (proto3 refuses anything else), and what was valid without control characters is itself.
 */
#include <stdbool.h>
#include <string.h>

#include "collector/reporters/otlp_value.h"
#include "collector/reporters/prometheus_page.h"
#include "collector/reporters/statsd_names.h"
#include "collector/utf8.h"
#include "tests/fuzz/fuzz.h"

static void check_utf8(const char *text, size_t length)
{
    for (size_t at = 0, bytes; at < length; at += bytes) {
        bytes = utf8_character(text + at, length - at);
        CHECK(bytes);
    }
}

/* The value of the only label of the only sample, without its escapes; NULL: there is no such thing. */
static char *read_label(const char *page, const char *name, char *out)
{
    char head[64], *begin = out;
    snprintf(head, sizeof(head), "%s{label=\"", name);
    const char *at = strstr(page, head);
    if (!at)
        return NULL;
    for (at += strlen(head); *at != '"'; at++) {
        CHECK(*at && *at != '\n');
        if (*at == '\\') {
            at++;
            CHECK(*at == '\\' || *at == '"' || *at == 'n');
            *out++ = *at == 'n' ? '\n' : *at;
        } else {
            *out++ = *at;
        }
    }
    *out = 0;
    CHECK(!strncmp(at, "\"} 1.5\n", 7));
    return begin;
}

/* `value`: as the reporter has it, valid UTF-8 without control characters but for newlines. */
static void check_prometheus(const struct prometheus_format *format, const char *value)
{
    const struct prometheus_head head = {.name = "app_name", .help = "Help.", .type = PROMETHEUS_GAUGE};
    const struct prometheus_label label = {"label", value};
    const struct prometheus_point point = {.labels = &label, .label_count = 1, .value = 1.5};
    struct prometheus_page page = {.format = format};
    void *bytes = NULL;
    size_t length;
    page.text = memory_stream_open(&page.memory);
    char *text, *room = malloc(strlen(value) + 1);
    CHECK(page.text && room);
    format->head(&page, &head);
    format->point(&page, &head, &point);
    CHECK(!format->end(&page, &bytes, &length));
    text = strndup(bytes, length);
    CHECK(text && read_label(text, head.name, room) && !strcmp(room, value));
    free(room);
    free(text);
    free(bytes);
    free(page.labels);
}

static void check_statsd(const char *text, size_t size)
{
    char *out = malloc(size + 1);
    CHECK(out);
    char *end = statsd_put_name(out, text, size);
    CHECK((size_t)(end - out) <= size);
    for (const char *at = out; at < end; at++)
        CHECK(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", *at) && *at);
    end = statsd_put_tag(out, text, size);
    CHECK((size_t)(end - out) <= size && end - out <= STATSD_TAG_MAX);
    for (const char *at = out; at < end; at++)
        CHECK((unsigned char)*at > ' ' && !strchr(",|#@\"\\", *at));
    check_utf8(out, (size_t)(end - out));
    free(out);
}

static void check_otlp(const char *text, size_t size)
{
    struct protobuf out = {0};
    size_t at = 0, length = 0, valid = 0, bytes;
    otlp_put_string(&out, 1, text, size);
    CHECK(!out.failed && out.length >= 2 && out.bytes[at++] == (1 << 3 | 2));
    for (unsigned shift = 0;; shift += 7) {
        CHECK(at < out.length);
        length |= (size_t)(out.bytes[at] & 0x7f) << shift;
        if (!(out.bytes[at++] & 0x80))
            break;
    }
    CHECK(length == out.length - at);
    check_utf8((const char *)out.bytes + at, length);
    while (valid < size && (bytes = utf8_character(text + valid, size - valid)))
        valid += bytes;
    if (valid == size && size < 1000)
        CHECK(length == size && !memcmp(out.bytes + at, text, size));
    protobuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *clean = malloc(3 * size + 1);
    CHECK(clean);
    size_t length = utf8_clean(clean, 3 * size + 1, (const char *)data, size);
    CHECK(length <= 3 * size && strlen(clean) == length);
    check_utf8(clean, length);
    for (size_t i = 0; i < length; i++)
        if (clean[i] == '~') /* a newline, which alone of the control characters may stand there */
            clean[i] = '\n';
    check_prometheus(&prometheus_text, clean);
    check_prometheus(&prometheus_openmetrics, clean);
    check_statsd((const char *)data, size);
    check_otlp((const char *)data, size);
    free(clean);
    return 0;
}
