/* SPDX-License-Identifier: MIT */
/* See sqlite_scene.h. */
#include "tests/reporters/sqlite_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

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

int64_t count_rows(const char *file)
{
    return query_number(file, "select count(*) from timings");
}

void write_file(const char *file, const void *bytes, size_t length)
{
    FILE *out = fopen(file, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
}

const char *damaged_file(void)
{
    static char name[512];
    DIR *stream = opendir(directory);
    name[0] = 0;
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (strstr(entry->d_name, ".damaged-") && !strstr(entry->d_name, "-wal") && !strstr(entry->d_name, "-shm")) {
            assert_int_equal(name[0], 0);
            snprintf(name, sizeof(name), "%s/%s", directory, entry->d_name);
        }
    }
    closedir(stream);
    return name[0] ? name : NULL;
}
