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

/* As the reporter does: a worker that is in the file, or is not, comes, goes, and others were never seen. */
static void use(struct cursors *cursors)
{
    size_t before = cursors->count;
    struct gb_worker worker = {.id = 7, .segment = "0123456789abcdef0123456789abcdef"};
    if (before && strnlen(cursors->segments[0]->id, 33) == 32)
        memcpy(worker.segment, cursors->segments[0]->id, sizeof(worker.segment));
    struct cursor_segment *segment = cursors_of(cursors, &worker);
    CHECK(segment && segment == cursors_of(cursors, &worker));
    struct cursor_ring *ring = cursor_ring(segment, 3);
    CHECK(ring && !cursor_ring(segment, CURSOR_RINGS_MAX));
    cursor_advance(ring, 5);
    CHECK(cursor_has(ring, 4));
    cursors_forget_threads(cursors);
    cursors_prune(cursors, 2);
    CHECK(cursors->count <= before + 1 && cursors->count <= 3);
    cursors_forget(cursors, worker.segment);
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
    use(&cursors);
    CHECK(!cursor_file_take(file, &cursors) && !cursor_file_store(file, &stored));
    cursor_file_free(file);
    CHECK(!cursor_file_open(directory.path, "log", "/some/where/log", &file));
    CHECK(!cursor_file_load(file, &again, &place) && place.size == 3 && again.count == cursors.count);
    cursor_file_free(file);
    cursors_clear(&cursors);
    cursors_clear(&again);
    return 0;
}
