/* SPDX-License-Identifier: MIT */
/*
 * What the command line or a file says of one reporter. options.h makes it out of text; the fan-out keeps a copy for as long as
 * the reporter runs. Control thread.
 */
#ifndef GB_COLLECTOR_REPORTER_SPEC_H
#define GB_COLLECTOR_REPORTER_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/reporter.h"

enum when_behind { BEHIND_YIELD, BEHIND_HOLD };

struct reporter_spec {
    const struct gb_reporter *reporter;
    char name[32];                  /* instance: log, log-2 */
    struct gb_option_value *values; /* in the order of reporter->options */
    uint32_t common_given;          /* a bit for each row of the common options that was set */
    uint32_t queue;                 /* batches; 0: QUEUE_BATCHES */
    enum when_behind when_behind;
    char **include, **exclude; /* globs on the scope, NULL-terminated; NULL: all */
    char **attributes;         /* the same on keys, those that begin with - to leave out; NULL: all */
};

/* All that it points to is copied as well. -ENOMEM: *ret_spec is empty. */
int reporter_spec_copy(const struct reporter_spec *spec, struct reporter_spec *ret_spec);
/* Takes an empty spec. */
void reporter_spec_clear(struct reporter_spec *spec);

/* Would both do the same? Their names are not looked at. */
bool reporter_spec_is_same(const struct reporter_spec *a, const struct reporter_spec *b);

/*
 * What becomes of running reporters when others are asked for. Each wanted one is KEPT (the same one runs), CHANGED (takes the
 * place of a running one), or NEW; a running one that none of them stands for is left out. Gives each wanted one the name it
 * will have: a kept one goes on under its own.
 */
enum reporter_fate { REPORTER_NEW, REPORTER_KEPT, REPORTER_CHANGED };
struct reporter_match {
    enum reporter_fate fate;
    unsigned running; /* kept, changed: which one */
};
void reporter_specs_match(const struct reporter_spec *const *running, unsigned running_count,
                          struct reporter_spec *wanted, unsigned wanted_count, struct reporter_match *ret_matches);

#endif
