/* SPDX-License-Identifier: MIT */
/*
 * What the collector says: lines on stderr, each by one write. Any thread.
 */
#ifndef GB_COLLECTOR_SAY_H
#define GB_COLLECTOR_SAY_H

#include <stdint.h>

/* "gb-collector: " and the text and a newline. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what may come in floods: a few lines in ten seconds, then the number of those that were left out. One thread. */
struct say_limit {
    int64_t since_ns;
    unsigned said, left_out;
};
void say_limited(struct say_limit *limit, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
