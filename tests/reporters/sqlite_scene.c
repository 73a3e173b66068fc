/* SPDX-License-Identifier: MIT */
/* See sqlite_scene.h. */
#include "tests/reporters/sqlite_scene.h"

#include <stdio.h>

#include "tests/reporters/sqlite_inject.h"

char directory[64], path[96];

int sqlite_set_up(void **state)
{
    (void)state;
    log_directory_make(directory);
    snprintf(path, sizeof(path), "%s/t.db", directory);
    return 0;
}

int sqlite_tear_down(void **state)
{
    (void)state;
    inject_stop();
    log_directory_remove(directory);
    return 0;
}

int sqlite_open_it(struct log_harness *harness, const char *more)
{
    char spec[160];
    snprintf(spec, sizeof(spec), "sqlite:path=%s%s", path, more);
    return log_harness_open_any(harness, directory, spec);
}
