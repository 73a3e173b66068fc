/* SPDX-License-Identifier: MIT */
/* Asks a reporter whether its options are right, before anything is opened for it: see options.h. */
#include <errno.h>
#include <stdarg.h>

#include "collector/options.h"

/* Where the sentence of a reporter's check goes: the last one counts, those before only warned. */
struct verdict {
    const char *name;
    char *error;
    size_t error_size;
};

static void say_verdict(void *collector, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say_verdict(void *collector, const char *format, ...)
{
    const struct verdict *verdict = collector;
    va_list arguments;
    int length = snprintf(verdict->error, verdict->error_size, "%s: ", verdict->name);

    if (length < 0 || (size_t)length >= verdict->error_size)
        return;
    va_start(arguments, format);
    vsnprintf(verdict->error + length, verdict->error_size - (size_t)length, format, arguments);
    va_end(arguments);
}

int reporter_spec_check(const struct reporter_spec *spec, char *error, size_t error_size)
{
    const struct gb_reporter *reporter = spec->reporter;
    struct verdict verdict = {reporter->name, error, error_size};
    const struct gb_reporter_setup setup = {.options = spec->values, .say = say_verdict, .collector = &verdict};

    if (reporter->size <= offsetof(struct gb_reporter, check) || !reporter->check)
        return 0;
    snprintf(error, error_size, "%s: its options are refused", reporter->name);
    int result = reporter->check(&setup);
    if (result == -ENOMEM)
        snprintf(error, error_size, "no memory");
    return !result || result == -ENOMEM ? result : -EINVAL;
}
