/* SPDX-License-Identifier: MIT */
/* log_sample FILE [fields=compact]: writes every kind of line that `log` has, with every kind of value, through the reporter itself. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/reporters/log_harness.h"

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        .type = GB_VALUE_TEXT, .length = sizeof(literal) - 1, .as.text = literal                                       \
    }

static const struct gb_event_value values[] = {TEXT("plain"),
                                               TEXT("a\n\"\\\0\x1b\xff\xe2\x80\xa8"),
                                               TEXT(""),
                                               {.type = GB_VALUE_NULL},
                                               {.type = GB_VALUE_BOOL, .as.boolean = true},
                                               {.type = GB_VALUE_INT, .as.i = INT64_MIN},
                                               {.type = GB_VALUE_UINT, .as.u = UINT64_MAX},
                                               {.type = GB_VALUE_DOUBLE, .as.d = 0.1},
                                               {.type = GB_VALUE_DOUBLE, .as.d = 1e300},
                                               {.type = GB_VALUE_DOUBLE, .as.d = -INFINITY},
                                               {.type = GB_VALUE_DOUBLE, .as.d = NAN}};
#define VALUES (sizeof(values) / sizeof(values[0]))

int main(int argc, char **argv)
{
    static const struct gb_path top = {.id = 0, .text = "top", .length = 3};
    static const struct gb_path inner = {.id = 1, .depth = 1, .parent = &top, .text = "top.in\"ner", .length = 10};
    static const struct gb_account lost = {.dropped = {3, 0, 1}};
    static const uint8_t flags[] = {0, GB_EVENT_UNFINISHED, GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED,
                                    GB_EVENT_FAILED | GB_EVENT_DETACHED, GB_EVENT_PREVIEW};
    const struct gb_worker worker = log_worker(1);
    struct gb_event_key keys[VALUES];
    struct gb_event_attr attrs[VALUES];
    struct log_harness log;
    char options[512];
    uint64_t seq = 0;

    if (argc < 2)
        return 2;
    snprintf(options, sizeof(options), "path=%s%s%s", argv[1], argc > 2 ? "," : "", argc > 2 ? argv[2] : "");
    if (log_harness_open(&log, NULL, options)) {
        fputs(log.said, stderr);
        return 1;
    }
    for (uint32_t i = 0; i < VALUES; i++) {
        static const char names[] = "abcdefghijklmnop";
        keys[i] = (struct gb_event_key){.id = i, .length = 1, .text = names + i};
        attrs[i] = (struct gb_event_attr){&keys[i], values[i]};
    }
    log_send_state(&log, &worker, GB_EVENT_STARTED);
    for (int with = 0; with < 2; with++)
        for (size_t i = 0; i < sizeof(flags); i++) {
            struct gb_event event = {.kind = GB_EVENT_TIMING,
                                     .flags = flags[i] & (uint8_t)~GB_EVENT_PREVIEW,
                                     .seq = seq++,
                                     .path = i % 2 ? &inner : &top,
                                     .attrs = attrs,
                                     .attr_count = (uint8_t)(with ? VALUES : 0),
                                     .start_mono_ns = 81200000000,
                                     .start_wall_ns = 1795365682503888889,
                                     .as.duration_ns = 1234567,
                                     .call_count = 1};
            log_send_event(&log, &worker, &event);
        }
    for (uint8_t kind = GB_EVENT_COUNTER; kind <= GB_EVENT_SAMPLE; kind++)
        for (size_t i = 0; i < VALUES; i++) {
            struct gb_event event = {.kind = kind,
                                     .flags = kind == GB_EVENT_SAMPLE && i % 2 ? GB_EVENT_PREVIEW : 0,
                                     .seq = seq++,
                                     .path = &inner,
                                     .start_wall_ns = 1795365682503888889,
                                     .as.value = values[i]};
            if (event.as.value.type >= GB_VALUE_INT && event.as.value.type <= GB_VALUE_DOUBLE)
                log_send_event(&log, &worker, &event);
        }
    seq += 5; /* never came: a line of its own tells */
    struct gb_event gap = {
        .kind = GB_EVENT_LOST, .seq = seq++, .start_wall_ns = 1795365682503888889, .as.account = &lost};
    log_send_event(&log, &worker, &gap);
    log_send_state(&log, &worker, GB_EVENT_LOST);
    log_send_state(&log, &worker, GB_EVENT_FINISHED);
    log_harness_close(&log);
    return 0;
}
