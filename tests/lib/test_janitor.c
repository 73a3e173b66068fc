/* SPDX-License-Identifier: MIT */
/* What a starting worker cleans up where no collector runs, what it leaves alone, and what it writes down. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

#include "gb/wire.h"
#include "lib/process.h"
#include "tests/lib/child.h"

#define ENV "GEMINI_BATCH_TELEMETRY"
#define EVENTS 10u

/* A worker that emits and ends: by _exit, so that nothing is closed in an orderly way. */
static void worker(void)
{
    for (unsigned i = 0; i < EVENTS; i++)
        GB_COUNT("items", 1);
    _exit(gb_enabled() ? 0 : 1);
}

static pid_t run_worker(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        worker();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return pid;
}

/* The sums of the lines of `reaped`. */
static unsigned reaped(uint64_t *ret_attempted, uint64_t *ret_delivered, uint64_t *ret_lost)
{
    char path[128], line[512], segment[64], program[64];
    unsigned lines = 0, pid;
    unsigned long long a, d, l;

    *ret_attempted = *ret_delivered = *ret_lost = 0;
    snprintf(path, sizeof path, "%s/%s", scratch, GBW_REAPED_NAME);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        assert_int_equal(sscanf(line, "%32[0-9a-f] %u %63s attempted=%llu delivered=%llu lost=%llu\n", segment, &pid,
                                program, &a, &d, &l),
                         6);
        assert_int_equal(strlen(segment), 32);
        *ret_attempted += a;
        *ret_delivered += d;
        *ret_lost += l;
        lines++;
    }
    if (file)
        fclose(file);
    return lines;
}

/* A thousand workers and no collector: bounded, and what was lost is told. */
static void thousand_workers(void **state)
{
    (void)state;
    uint64_t bytes = 0, attempts, delivered, lost, greatest = 0;
    unsigned files = 0, lines = 0;

    scratch_empty();
    setenv(ENV "_MAX_BYTES", "1M", 1);
    setenv(ENV "_RING_BYTES", "16K", 1);
    for (unsigned i = 0; i < 1000; i++) {
        run_worker();
        files = scratch_count(GBW_SEGMENT_PREFIX, &bytes);
        greatest = bytes > greatest ? bytes : greatest;
    }
    /* the budget, and the segment that was added last */
    assert_in_range(greatest, 900u << 10, (1u << 20) + (256u << 10));
    lines = reaped(&attempts, &delivered, &lost);
    assert_true(lines > 100);
    assert_int_equal(attempts, (1000 - files) * EVENTS);
    assert_int_equal(lost, attempts);
    assert_int_equal(delivered, 0);
    unsetenv(ENV "_MAX_BYTES");
    unsetenv(ENV "_RING_BYTES");
}

/* Within the budget nothing is removed. */
static void within_budget(void **state)
{
    (void)state;
    uint64_t a, d, l;
    scratch_empty();
    for (unsigned i = 0; i < 20; i++)
        run_worker();
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 20);
    assert_int_equal(reaped(&a, &d, &l), 0);
}

/* Makes the segment of this worker so many seconds old, and somebody else's where `owner` is one. Its path. */
static void age(pid_t pid, time_t seconds, uid_t owner, char ret_path[128])
{
    struct gbw_header header = {0};
    struct timespec times[2];
    DIR *dir = opendir(scratch);
    assert_non_null(dir);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    for (struct dirent *entry; header.pid != (uint32_t)pid && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) != 0)
            continue;
        snprintf(ret_path, 128, "%s/%.60s", scratch, entry->d_name);
        int fd = open(ret_path, O_RDONLY);
        assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
        close(fd);
    }
    closedir(dir);
    assert_int_equal(header.pid, pid);
    assert_int_equal(chown(ret_path, owner, (gid_t)-1), 0);
    assert_int_equal(utimensat(AT_FDCWD, ret_path, times, 0), 0);
}

/* Where one must go, it is the oldest of this user's, in whatever order they were made. */
static void oldest_of_the_same_user(void **state)
{
    (void)state;
    char foreign[128], younger[128], oldest[128], budget[32];
    uint64_t bytes, a, d, l;
    bool root = geteuid() == 0; /* who alone can give a file away */
    scratch_empty();
    setenv(ENV "_RING_BYTES", "16K", 1);
    age(run_worker(), 2000, (uid_t)-1, younger);
    age(run_worker(), 3000, (uid_t)-1, oldest);
    scratch_count(GBW_SEGMENT_PREFIX, &bytes);
    if (root)
        age(run_worker(), 4000, 12345, foreign);
    snprintf(budget, sizeof budget, "%llu", (unsigned long long)bytes - 1);
    setenv(ENV "_MAX_BYTES", budget, 1);
    run_worker();
    assert_int_equal(reaped(&a, &d, &l), 1);
    assert_int_not_equal(access(oldest, F_OK), 0);
    assert_int_equal(access(younger, F_OK), 0);
    if (root)
        assert_int_equal(access(foreign, F_OK), 0);
    unsetenv(ENV "_MAX_BYTES");
    unsetenv(ENV "_RING_BYTES");
}

static pid_t sleeper(int *ret_end)
{
    int ready[2], end[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(end[1]);
        GB_COUNT("items", 1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        ssize_t got = read(end[0], &byte, 1); /* until the test ends */
        _exit(got == 0 && attempted() == 1 ? 0 : 1);
    }
    close(end[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    *ret_end = end[1];
    return pid;
}

/* The living stay, however far over the budget they are, and so do those of other namespaces and formats. */
static void spares(void **state)
{
    (void)state;
    int end, status;
    uint64_t a, d, l;
    char path[128], header[GBW_PAGE];

    scratch_empty();
    setenv(ENV "_RING_BYTES", "16K", 1);
    pid_t alive = sleeper(&end);
    run_worker();
    run_worker();
    /* of three dead ones, one is of another pid namespace, and one of another format */
    setenv(ENV "_MAX_BYTES", "1M", 1);
    unsigned changed = 0;
    pid_t finder = fork();
    if (finder == 0) {
        struct gbw_header *h = (void *)header;
        snprintf(path, sizeof path, "%s", scratch);
        FILE *list = popen("ls -1 \"$GEMINI_BATCH_TELEMETRY_DIR\"/gb-*.seg", "r");
        while (fgets(path, sizeof path, list)) {
            path[strcspn(path, "\n")] = '\0';
            int fd = open(path, O_RDWR);
            CHECK(pread(fd, header, sizeof header, 0) == sizeof header);
            if (h->pid == (uint32_t)alive)
                h->start_time++; /* seems to be gone, but holds its lock */
            else if (changed++ == 0)
                h->pid_ns++;
            else
                h->major++;
            CHECK(pwrite(fd, header, sizeof header, 0) == sizeof header);
            close(fd);
        }
        pclose(list);
        _exit(changed == 2 ? 0 : 1);
    }
    assert_int_equal(waitpid(finder, &status, 0), finder);
    assert_int_equal(status, 0);
    setenv(ENV "_MAX_BYTES", "16K", 1);
    run_worker();
    run_worker(); /* removes the one before */
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 4);
    assert_int_equal(reaped(&a, &d, &l), 1);
    assert_int_equal(l, EVENTS);
    close(end);
    assert_int_equal(waitpid(alive, &status, 0), alive);
    assert_int_equal(status, 0);
    unsetenv(ENV "_MAX_BYTES");
    unsetenv(ENV "_RING_BYTES");
}

/* Where a collector holds byte 0, cleaning is its affair. */
static void collector_there(void **state)
{
    (void)state;
    char path[128];
    scratch_empty();
    setenv(ENV "_MAX_BYTES", "16K", 1);
    run_worker();
    snprintf(path, sizeof path, "%s/%s", scratch, GBW_LOCK_NAME);
    int fd = open(path, O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    run_worker();
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 2);
    close(fd);
    run_worker();
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 1);
    unsetenv(ENV "_MAX_BYTES");
}

/* Recordings are no collector's: the oldest dead ones go beside it as well, and they are no loss. */
static void recordings(void **state)
{
    (void)state;
    char path[128];
    uint64_t a, d, l;
    int end, status;
    scratch_empty();
    run_worker(); /* a segment, for the collector */
    setenv(ENV "_OVERFLOW", "overwrite", 1);
    setenv(ENV "_RING_BYTES", "16K", 1);
    pid_t alive = sleeper(&end);
    run_worker();
    snprintf(path, sizeof path, "%s/%s", scratch, GBW_LOCK_NAME);
    int fd = open(path, O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    run_worker();
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 4); /* within the budget */
    setenv(ENV "_MAX_BYTES", "16K", 1);
    run_worker();
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 3); /* the segment, the living one, the last one */
    assert_int_equal(reaped(&a, &d, &l), 0);
    close(fd);
    run_worker(); /* without a collector all go */
    assert_int_equal(scratch_count(GBW_SEGMENT_PREFIX, NULL), 2);
    assert_int_equal(reaped(&a, &d, &l), 1);
    assert_int_equal(l, EVENTS);
    close(end);
    assert_int_equal(waitpid(alive, &status, 0), alive);
    assert_int_equal(status, 0);
    unsetenv(ENV "_OVERFLOW");
    unsetenv(ENV "_MAX_BYTES");
    unsetenv(ENV "_RING_BYTES");
}

/* What a kill left of a segment in the making goes, once it is old. */
static void leftovers(void **state)
{
    (void)state;
    char path[160];
    struct timespec old[2];
    scratch_empty();
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s4711-%032d", scratch, GBW_TEMP_PREFIX, i);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        clock_gettime(CLOCK_REALTIME, &old[0]);
        old[0].tv_sec -= 600;
        old[1] = old[0];
        if (i == 0)
            futimens(fd, old);
        close(fd);
    }
    run_worker();
    assert_int_equal(scratch_count(GBW_TEMP_PREFIX, NULL), 1);
}

/* The list of losses does not grow for ever, and its sum stays. */
static void long_list(void **state)
{
    (void)state;
    char path[128];
    uint64_t a, d, l;
    struct stat st;
    scratch_empty();
    snprintf(path, sizeof path, "%s/%s", scratch, GBW_REAPED_NAME);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 2000; i++)
        fprintf(file, "%032x %u prog attempted=3 delivered=2 lost=1\n", i, i);
    fclose(file);
    setenv(ENV "_MAX_BYTES", "16K", 1);
    run_worker();
    run_worker();
    unsetenv(ENV "_MAX_BYTES");
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 1000);
    assert_int_equal(reaped(&a, &d, &l), 2);
    assert_int_equal(a, 6000 + EVENTS);
    assert_int_equal(d, 4000);
    assert_int_equal(l, 2000 + EVENTS);
}

/* A full tmpfs: the dead make room for the living. */
static void full_body(void)
{
    uint64_t a, d, l;
    if (!mount_small("256k"))
        _exit(CANNOT);
    setenv(ENV "_RING_BYTES", "64K", 1);
    setenv(ENV "_MAX_BYTES", "64K", 1);
    for (unsigned i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0)
            worker();
        wait_for(pid);
    }
    unsigned files = scratch_count(GBW_SEGMENT_PREFIX, NULL);
    CHECK(files >= 1 && files < 5);
    reaped(&a, &d, &l);
    CHECK_EQUAL(a, (20 - files) * EVENTS);
}

static void full(void **state)
{
    (void)state;
    in_child(full_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousand_workers), cmocka_unit_test(within_budget), cmocka_unit_test(spares),
        cmocka_unit_test(collector_there),  cmocka_unit_test(recordings),    cmocka_unit_test(leftovers),
        cmocka_unit_test(long_list),        cmocka_unit_test(full),          cmocka_unit_test(oldest_of_the_same_user),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
