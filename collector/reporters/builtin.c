/* SPDX-License-Identifier: MIT */
/* See builtin.h. */
#include "collector/reporters/builtin.h"

#include <string.h>

const struct gb_reporter *const builtin_reporters[] = {
    &gb_reporter_exec,
    &gb_reporter_log,
#ifdef GB_WITH_OTLP
    &gb_reporter_otlp,
#endif
#ifdef GB_WITH_PROMETHEUS
    &gb_reporter_prometheus,
#endif
    &gb_reporter_summary,
#ifdef GB_WITH_SQLITE
    &gb_reporter_sqlite,
#endif
#ifdef GB_WITH_STATSD
    &gb_reporter_statsd,
#endif
#ifdef GB_WITH_TRACE
    &gb_reporter_trace,
#endif
    NULL,
};

const struct gb_reporter *builtin_find(const char *name)
{
    for (size_t i = 0; builtin_reporters[i]; i++)
        if (strcmp(builtin_reporters[i]->name, name) == 0)
            return builtin_reporters[i];
    return NULL;
}
