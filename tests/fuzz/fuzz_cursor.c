/* SPDX-License-Identifier: MIT */
/* The cursor file of a durable reporter, as anybody may have left it. Must hold: loaded, or refused; and then a store can be loaded. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "collector/reporters/cursor_file.h"
#include "tests/collector/fake_segment.h"
#include "tests/fuzz/fuzz.h"

static struct fake_directory directory;

static void remove_directory(void)
{
    fake_directory_remove(&directory);
}

static void put_file(const char *name, const uint8_t *data, size_t size)
{
    int fd = openat(directory.fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursors cursors = {0}, again = {0};
    struct cursor_file *file;
    struct place place = {0}, stored = {1, 2, 3};
    if (!directory.path[0]) {
        fake_directory_make(&directory);
        atexit(remove_directory);
    }
    CHECK(!cursor_file_open(directory.path, "log", "/some/where/log", &file));
    put_file(cursor_file_name(file), data, size);
    int result = cursor_file_load(file, &cursors, &place);
    CHECK(result == 0 || result == -ENOENT || result == -EBADMSG);
    CHECK(!cursor_file_take(file, &cursors) && !cursor_file_store(file, &stored));
    cursor_file_free(file);
    CHECK(!cursor_file_open(directory.path, "log", "/some/where/log", &file));
    CHECK(!cursor_file_load(file, &again, &place) && place.size == 3 && again.count == cursors.count);
    cursor_file_free(file);
    cursors_clear(&cursors);
    cursors_clear(&again);
    return 0;
}
