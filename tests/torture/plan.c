/* SPDX-License-Identifier: MIT */
/* See round.h: what a round has. In: its seed. Out: reporters, file system, length. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/torture/round.h"

static bool one_in(struct round *round, uint32_t n)
{
    return chance_below(&round->chance, n) == 0;
}

static void add(struct round *round, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct round *round, const char *format, ...)
{
    if (round->reporters == ROUND_REPORTERS)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(round->reporter[round->reporters++], sizeof(round->reporter[0]), format, args);
    va_end(args);
}

/* Those whose output is read afterwards hold the rings when they are behind: then they are exactly once whatever happens. */
static void add_files(struct round *round)
{
    static const char *const forms[] = {"", ",fields=compact", ",format=logfmt"};
    round->log = one_in(round, 3);
    round->database = one_in(round, 5);
#ifndef GB_WITH_SQLITE
    round->database = false;
#endif
    if (round->log)
        add(round, "log:path=%s/log,when_behind=hold,queue=256", round->home);
    if (one_in(round, 6))
        add(round, "log:path=%s/other%s", round->home, forms[chance_below(&round->chance, 3)]);
    if (round->database)
        add(round, "sqlite:path=%s/db,max_size=0,when_behind=hold,queue=256", round->home);
}

/* Some of these are slow, and some speak to nobody. */
static void add_others(struct round *round)
{
    if (one_in(round, 2))
        add(round, "summary:path=%s/summary,format=%s,interval=200ms", round->home, one_in(round, 2) ? "text" : "json");
    if (one_in(round, 5))
        add(round, "statsd:address=127.0.0.1:9,interval=100ms");
    if (one_in(round, 5))
        add(round, "otlp:endpoint=http://127.0.0.1:9,interval=200ms,timeout=100ms,signals=metrics+traces");
    if (one_in(round, 16)) {
        add(round, "exec:command=while read line; do sleep 0.01; done");
        round->slow = true;
    }
    if (one_in(round, 6))
        add(round, "prometheus:listen=127.0.0.1:0");
    if (one_in(round, 8))
        add(round, "trace:path=%s/trace,max_size=1MiB,keep=2", round->home);
    if (one_in(round, 10)) {
        add(round, "%s:slow=%ums", round->programs->check, 1 + chance_below(&round->chance, 40));
        round->slow = true;
    }
}

void plan_make(struct round *round)
{
    round->durable = !one_in(round, 4);
    round->collectors_die = !one_in(round, 4);
    round->small = one_in(round, 6);
    round->scapegoat = one_in(round, 4);
    round->duration_ms = 1500 + chance_below(&round->chance, 2500);
    add(round, "%s:book=%s,durable=%s,queue=256,when_behind=hold", round->programs->check, round->book_path,
        round->durable ? "yes" : "no");
    if (one_in(round, 2))
        add_files(round);
    add_others(round);
}
