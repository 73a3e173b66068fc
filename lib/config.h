/* SPDX-License-Identifier: MIT */
/*
 * What the user wants. In: the environment (DESIGN section 4), and the struct gb_config of gb_init, which wins. Out: settings, complete
 * and in range. A bad value is said on stderr in one line, with what is accepted, and the default is used.
 * Runs once, under the slow lock; a forked child keeps what its parent had.
 */
#ifndef GB_LIB_CONFIG_H
#define GB_LIB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/telemetry.h"
#include "lib/clock.h"

#define DIRECTORY_MAX 1024 /* bytes of the directory's path with its zero */
#define RING_BYTES_DEFAULT (1u << 20)
#define MAX_BYTES_DEFAULT (64u << 20)

/* What becomes of an event that finds its ring full; with the last one none does: it takes the place of the oldest. */
enum overflow { OVERFLOW_FOLD, OVERFLOW_DROP, OVERFLOW_OVERWRITE };

struct settings {
    bool enabled, strict_scopes, raw_preview;
    enum clock_wish clock;
    enum overflow overflow;
    uint64_t ring_bytes;
    uint64_t max_bytes; /* 0: the smaller of MAX_BYTES_DEFAULT and a quarter of the space that is free */
    char directory[DIRECTORY_MAX];
    char service[64], program[64];
    char secrets[512]; /* words, separated by commas */
};
extern struct settings gb_settings __attribute__((visibility("hidden")));

/* Only this of the environment is looked at while telemetry is disabled. */
bool config_enabled(const struct gb_config *code);

/* `code` may be NULL. -EINVAL: a value of `code` was out of range and has been said. */
int config_read(const struct gb_config *code, struct settings *ret_settings);

/* Rings to allocate at once. */
uint32_t config_rings_ahead(const struct gb_config *code);

#endif
