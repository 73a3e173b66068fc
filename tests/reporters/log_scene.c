/* SPDX-License-Identifier: MIT */
/* See log_scene.h. */
#include "tests/reporters/log_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/builtin.h"

char directory[64], path[96], rotated[96];

int log_set_up(void **state)
{
    (void)state;
    log_directory_make(directory);
    snprintf(path, sizeof(path), "%s/events.jsonl", directory);
    snprintf(rotated, sizeof(rotated), "%s/events.jsonl.1", directory);
    return 0;
}

int log_tear_down(void **state)
{
    (void)state;
    log_directory_remove(directory);
    return 0;
}

void open_log(struct log_harness *log, const char *more)
{
    char options[256];
    snprintf(options, sizeof(options), "path=%s%s", path, more);
    if (log_harness_open(log, directory, options))
        fail_msg("%s", log->said);
}

void tick(struct log_harness *log)
{
    gb_reporter_log.tick(log->self, 1);
}

unsigned count_in(const char *file, const char *what)
{
    char *text = log_read_file(file, NULL);
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    free(text);
    return count;
}

unsigned lines_in(const char *file)
{
    return count_in(file, "\n");
}
