/* SPDX-License-Identifier: MIT */
/* One run of a whole program in one of four modes, and what it took. For bench-app. */
#ifndef GB_BENCH_APP_H
#define GB_BENCH_APP_H

#include <stdbool.h>
#include <stdint.h>

enum app_mode { APP_COMPILED_OUT, APP_DISABLED, APP_NO_COLLECTOR, APP_COLLECTOR, APP_MODES };
extern const char *const app_mode_name[APP_MODES];

/* Seconds. */
struct app_cost {
    double wall, worker_cpu, collector_cpu;
    uint64_t attempted, dropped;
};

struct app_program {
    const char *name;        /* of the case */
    const char *path[2];     /* with telemetry; compiled out */
    const char *const *argv; /* its arguments, argv[0] left to us; ends with NULL */
    bool tells;              /* prints its own cost, as bench-kernel does; otherwise it is taken from outside */
};

/* 0, or -1: it could not be run (said). */
int app_run(const struct app_program *program, enum app_mode mode, const char *collector, const char *directory,
            struct app_cost *ret_cost);

#endif
