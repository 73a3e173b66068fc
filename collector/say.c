/* SPDX-License-Identifier: MIT */
/* See say.h. */
#include "collector/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/now.h"

#define LINES_AT_ONCE 8u
#define PERIOD_NS 10000000000

static void say_line(const char *format, va_list values)
{
    static const char prefix[] = "gb-collector: ";
    char line[1024];
    size_t length = sizeof(prefix) - 1;
    memcpy(line, prefix, length);
    int more = vsnprintf(line + length, sizeof(line) - length - 1, format, values);
    if (more > 0)
        length += (size_t)more < sizeof(line) - length - 1 ? (size_t)more : sizeof(line) - length - 2;
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0)
        return; /* nowhere to complain to */
}

void say(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say_line(format, values);
    va_end(values);
}

void say_limited(struct say_limit *limit, const char *format, ...)
{
    int64_t now = clock_mono_now();
    va_list values;
    if (!limit->since_ns || now - limit->since_ns > PERIOD_NS) {
        if (limit->left_out)
            say("(%u more messages of this kind)", limit->left_out);
        *limit = (struct say_limit){.since_ns = now};
    }
    if (limit->said == LINES_AT_ONCE) {
        limit->left_out++;
        return;
    }
    limit->said++;
    va_start(values, format);
    say_line(format, values);
    va_end(values);
}
