/* SPDX-License-Identifier: MIT */
/*
 * A worker that is killed at each of its system calls while it makes its segment and its first ring: whatever is found under a
 * segment's name is whole, and what is left under a temporary name goes at the start of a later worker.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "gb/wire.h"
#include "lib/identity.h"
#include "tests/lib/child.h"

static void emit(void)
{
    GB_SCOPE ("first", GB_KV("text", "x"))
        GB_COUNT("items", 1);
}

/* A segment that can be found is locked by its worker, from the first moment on. Those of the killed ones before stand there as well, one of
 * which may have had the same pid. */
static void expect_locked(pid_t pid)
{
    char state;
    uint64_t start_time = process_start_time(pid, &state);
    DIR *dir = opendir(scratch);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
        struct gbw_header header;
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) != 0)
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDWR);
        assert_true(fd >= 0 && pread(fd, &header, sizeof header, 0) == sizeof header);
        if (header.pid == (uint32_t)pid && header.start_time == start_time) {
            assert_int_equal(fcntl(fd, F_GETLK, &probe), 0);
            assert_true(probe.l_type == F_WRLCK && probe.l_pid == pid);
        }
        close(fd);
    }
    closedir(dir);
}

/* Runs a worker up to its stop number `stops` (each system call has two), kills it there. false: it ended by itself. */
static bool killed_at(unsigned stops)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(CANNOT);
        raise(SIGSTOP);
        emit();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
        skip();
    for (unsigned i = 0; i < stops && WIFSTOPPED(status); i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    if (!WIFSTOPPED(status)) {
        assert_int_equal(status, 0);
        return false;
    }
    expect_locked(pid);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return true;
}

static void expect_whole(int directory, const char *name)
{
    struct gbw_header header;
    struct stat st;
    int fd = openat(directory, name, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    assert_true(header.magic == GBW_MAGIC && header.state == GBW_READY && header.start_time != 0);
    assert_in_range(header.name_count, GBW_FIRST_NAME, GBW_FIRST_NAME + 3);
    assert_in_range(header.ring_count, 0, 1);
    uint64_t end = header.rings_offset + (uint64_t)header.rings_capacity * header.ring_entry_bytes;
    assert_true((uint64_t)st.st_size >= end);
    for (uint32_t i = 0; i < header.ring_count; i++) {
        struct gbw_ring_entry ring;
        assert_int_equal(pread(fd, &ring, sizeof ring, (off_t)header.rings_offset), sizeof ring);
        assert_true(ring.offset >= end && ring.slots >= GBW_RING_BYTES_MIN / GBW_SLOT);
        assert_true(ring.offset + GBW_RING_OVERHEAD + (uint64_t)ring.slots * GBW_SLOT <= (uint64_t)st.st_size);
    }
    for (uint32_t i = 1; i < header.name_count; i++) {
        struct gbw_name entry;
        assert_int_equal(pread(fd, &entry, sizeof entry, (off_t)(header.names_offset + i * sizeof entry)),
                         sizeof entry);
        assert_true(entry.kind != 0 && entry.text + entry.length <= header.text_bytes);
    }
    close(fd);
}

/* Every file of the directory; temporary ones are made old. Returns how many of those there are. */
static unsigned look(void)
{
    unsigned leftovers = 0;
    struct timespec old[2];
    clock_gettime(CLOCK_REALTIME, &old[0]);
    old[0].tv_sec -= 1000;
    old[1] = old[0];
    DIR *dir = opendir(scratch);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) == 0)
            expect_whole(dirfd(dir), entry->d_name);
        if (strncmp(entry->d_name, GBW_TEMP_PREFIX, strlen(GBW_TEMP_PREFIX)) == 0) {
            utimensat(dirfd(dir), entry->d_name, old, 0);
            leftovers++;
        }
    }
    closedir(dir);
    return leftovers;
}

static void killed_everywhere(void **state)
{
    (void)state;
    unsigned stops = 1, leftovers = 0;
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16K", 1);
    for (; killed_at(stops); stops++)
        leftovers += look() > 0; /* the next one starts with them, and clears them away */
    print_message("killed at each of %u stops\n", stops - 1);
    assert_in_range(stops, 50, 1000);
    assert_true(leftovers > 10);
    look();
    in_child(emit);
    assert_int_equal(scratch_count(GBW_TEMP_PREFIX, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_everywhere),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
