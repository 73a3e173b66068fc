/* SPDX-License-Identifier: MIT */
/* The segment's file: what it looks like, which directories are refused, and what a hostile file system or program does to it. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "lib/process.h"
#include "tests/lib/child.h"

static void emit(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        GB_COUNT("events", 1, GB_KV("text", "some text"));
}

static void on_thread(void *(*run)(void *))
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    pthread_join(thread, NULL);
}

static void *emit_100(void *arg)
{
    emit(100);
    return arg;
}

static void segment_path(char path[256])
{
    snprintf(path, 256, "%s/%s", scratch, process_segment()->file);
}

static void whole(void)
{
    struct stat st;
    char path[256];
    emit(3);
    segment_path(path);
    CHECK(stat(path, &st) == 0);
    CHECK_EQUAL(st.st_mode & 07777, 0600);
    CHECK_EQUAL(scratch_count(GBW_TEMP_PREFIX, NULL), 0);
    CHECK_EQUAL(scratch_count(GBW_SEGMENT_PREFIX, NULL), 1);
    const struct gbw_header *header = gb_process.header;
    CHECK(header->magic == GBW_MAGIC && header->major == GBW_MAJOR && header->state == GBW_READY);
    CHECK_EQUAL(header->pid, getpid());
    CHECK(header->start_time && header->pid_ns && header->boot_id[0] + header->boot_id[15] > 0);
    CHECK(header->rings_offset + header->rings_capacity * sizeof(struct gbw_ring_entry) <= (uint64_t)st.st_size);
    const struct gbw_ring_entry *ring = process_segment()->rings;
    CHECK_EQUAL(ring->offset % header->page_bytes, 0);
    CHECK_EQUAL(ring->offset + GBW_RING_OVERHEAD + (uint64_t)ring->slots * GBW_SLOT + ring->fold_bytes, st.st_size);
    CHECK(fcntl(process_segment()->fd, F_GETFD) & FD_CLOEXEC);

    /* its lock is seen from another process */
    pid_t pid = fork();
    if (pid == 0) {
        struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
        int fd = open(path, O_RDWR);
        CHECK(fd >= 0 && fcntl(fd, F_GETLK, &probe) == 0);
        CHECK(probe.l_type == F_WRLCK && probe.l_pid == getppid());
        _exit(0);
    }
    wait_for(pid);
    gb_shutdown();
    CHECK_EQUAL(header->state, GBW_CLOSED);
    CHECK(!gb_enabled());
    emit(1);
}

static char refused_directory[200];

static void refused(void)
{
    setenv("GEMINI_BATCH_TELEMETRY_DIR", refused_directory, 1);
    emit(3);
    CHECK(!gb_enabled());
    emit(3);
    on_thread(emit_100);
    CHECK_EQUAL(attempted(), 0);
}

static void expect_refused(const char *directory, const char *why)
{
    char text[1000];
    snprintf(refused_directory, sizeof refused_directory, "%s", directory);
    assert_int_equal(in_child_output(refused, text, sizeof text), 1);
    if (!strstr(text, "gb-telemetry: telemetry is off: ") || !strstr(text, directory) || !strstr(text, why))
        fail_msg("%s does not say: %s", text, why);
}

static void refused_directories(void **state)
{
    (void)state;
    char sub[128], other[128];
    snprintf(sub, sizeof sub, "%s/sub", scratch);
    snprintf(other, sizeof other, "%s/link", scratch);

    assert_int_equal(mkdir(sub, 0700), 0);
    assert_int_equal(chmod(sub, 0750), 0);
    expect_refused(sub, "open to group or others");
    assert_int_equal(chmod(sub, 0702), 0);
    expect_refused(sub, "open to group or others");
    assert_int_equal(chmod(sub, 0700), 0);
    assert_int_equal(symlink(sub, other), 0);
    expect_refused(other, "symbolic link");
    unlink(other);
    int fd = open(other, O_CREAT | O_WRONLY, 0600);
    close(fd);
    expect_refused(other, "not a directory");
    unlink(other);
    expect_refused("/proc/nowhere/at/all", "no such directory");
    if (geteuid() == 0) {
        assert_int_equal(chown(sub, 12345, 0), 0);
        expect_refused(sub, "owned by another user");
    }
    rmdir(sub);
    char home[] = "/var/tmp/gb-test-XXXXXX";
    if (mkdtemp(home)) {
        expect_refused(home, "not on a tmpfs");
        snprintf(sub, sizeof sub, "%s/sub", home);
        expect_refused(sub, "not on a tmpfs");
        assert_int_equal(rmdir(home), 0); /* what it made for itself and refused is gone */
    }
}

static void *emit_and_count_no_ring(void *arg)
{
    uint64_t before = dropped(GB_NO_RING) + dropped(GB_RING_FULL);
    emit(50);
    *(uint64_t *)arg += dropped(GB_NO_RING) + dropped(GB_RING_FULL) - before;
    return NULL;
}

/* Threads until a full tmpfs has no ring for them: dropped, counted, said once; no SIGBUS, and the sums agree. */
static void small_tmpfs(void)
{
    uint64_t lost = 0;
    if (!mount_small("1m"))
        _exit(CANNOT);
    emit(10);
    CHECK(gb_enabled());
    pthread_t threads[64];
    for (int i = 0; i < 64; i++) {
        CHECK(pthread_create(&threads[i], NULL, emit_and_count_no_ring, &lost) == 0);
        pthread_join(threads[i], NULL);
    }
    /* names until the text has no space either */
    char name[200];
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 8000; i++) {
        snprintf(name, 9, "%08d", i);
        name[8] = 'x';
        name[199] = '\0';
        gb_count(gb_name("%s", name), 1, NULL, 0);
    }
    struct gb_stats stats;
    gb_stats(&stats);
    CHECK_EQUAL(stats.attempted, 10 + 64 * 50 + 8000);
    CHECK(stats.names_overflowed > 0);
}

static pthread_barrier_t all_there;

static void *emit_and_hold(void *arg)
{
    emit(5);
    pthread_barrier_wait(&all_there);
    return arg;
}

static void many_threads_small_tmpfs(void)
{
    if (!mount_small("1m"))
        _exit(CANNOT);
    pthread_t threads[40];
    pthread_barrier_init(&all_there, NULL, 41);
    for (int i = 0; i < 40; i++)
        CHECK(pthread_create(&threads[i], NULL, emit_and_hold, NULL) == 0);
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < 40; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQUAL(attempted(), 200);
    CHECK(dropped(GB_NO_RING) > 0);
}

static void tiny_tmpfs(void)
{
    if (!mount_small("16k"))
        _exit(CANNOT);
    emit(10);
    CHECK(!gb_enabled());
    CHECK_EQUAL(scratch_count(GBW_TEMP_PREFIX, NULL), 0);
}

/* Much is asked for, little is there: a smaller ring, and nothing is lost. */
static void halved(void)
{
    if (!mount_small("512k"))
        _exit(CANNOT);
    setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "64M", 1);
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "1M", 1);
    emit(10);
    uint64_t bytes = (uint64_t)process_segment()->rings[0].slots * GBW_SLOT;
    CHECK(bytes >= GBW_RING_BYTES_MIN && bytes <= 256u << 10 && (bytes & (bytes - 1)) == 0);
    CHECK_EQUAL(attempted(), 10);
    CHECK_EQUAL(dropped(GB_NO_RING), 0);
}

static void expect_lines(void (*test)(void), const char *says, unsigned lines)
{
    char text[2000];
    assert_int_equal(in_child_output(test, text, sizeof text), lines);
    if (!strstr(text, says))
        fail_msg("%s does not say: %s", text, says);
}

static void small_file_systems(void **state)
{
    (void)state;
    in_child(small_tmpfs);
    in_child(halved);
    expect_lines(many_threads_small_tmpfs, "a quarter of the space that was free is used up", 1);
    expect_lines(tiny_tmpfs, "no space left", 1);
}

/* A program that closes all descriptors, and then opens its own file: it finds it untouched, and we go on. */
static void all_closed(void)
{
    char own[256], bytes[8192];
    struct stat st;
    emit(10);
    int fd = process_segment()->fd, ours = -1;
    for (int i = 3; i < 100; i++)
        close(i);
    snprintf(own, sizeof own, "%s/own", scratch);
    while (ours != fd) {
        ours = open(own, O_CREAT | O_RDWR, 0600);
        CHECK(ours >= 0 && ours <= fd);
    }
    CHECK(write(ours, "mine", 4) == 4);
    on_thread(emit_100); /* a first ring of another thread was needed */
    pthread_t threads[4];
    pthread_barrier_init(&all_there, NULL, 5);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, emit_and_hold, NULL) == 0);
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3000; i++)
        gb_count(gb_name("a name to make the table grow %d", i), 1, NULL, 0);
    CHECK_EQUAL(attempted(), 10 + 100 + 20 + 3000);
    CHECK_EQUAL(dropped(GB_NO_RING), 0);
    CHECK_EQUAL(gb_process.header->names_overflowed, 0);
    CHECK(process_segment()->fd != fd);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 4);
    CHECK(pread(fd, bytes, sizeof bytes, 0) == 4 && memcmp(bytes, "mine", 4) == 0);
}

/* The file was removed: the next lease makes a new one, with all names; what has a ring in the old one goes on. */
static void removed(void)
{
    char path[256];
    emit(10);
    on_thread(emit_100);
    segment_path(path);
    CHECK(unlink(path) == 0);
    on_thread(emit_100);
    CHECK_EQUAL(gb_process.segment_count, 2);
    CHECK_EQUAL(scratch_count(GBW_SEGMENT_PREFIX, NULL), 1);
    char line[256] = "";
    snprintf(path, sizeof path, "%s/%s", scratch, GBW_REAPED_NAME);
    FILE *reaped = fopen(path, "r"); /* no collector was there: what stood in it is written off */
    CHECK(reaped && fgets(line, sizeof line, reaped) && strstr(line, " attempted=110 delivered=0 lost=110\n"));
    fclose(reaped);
    emit(10);
    GB_COUNT("a name after that", 1);
    for (int i = 0; i < 2; i++) {
        const struct segment *segment = &gb_process.segments[i];
        CHECK_EQUAL(segment->header->name_count, gb_process.header->name_count);
        const struct gbw_name *last = &segment->names[segment->header->name_count - 1];
        CHECK(memcmp(segment->text + last->text, "a name after that", last->length) == 0);
    }
    CHECK_EQUAL(attempted(), 221);
    /* the whole directory */
    scratch_empty();
    CHECK(rmdir(scratch) == 0);
    on_thread(emit_100);
    CHECK_EQUAL(gb_process.segment_count, 3);
    CHECK_EQUAL(attempted(), 321);
    CHECK_EQUAL(dropped(GB_NO_RING), 0);
}

/* A limit of file sizes raises no SIGXFSZ. */
static void file_size_limit(void)
{
    struct rlimit limit = {100000, 100000};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    emit(3);
    CHECK(!gb_enabled());
}

static void file_size_limit_later(void)
{
    emit(3);
    struct rlimit limit = {100000, 100000};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    pthread_t thread;
    pthread_barrier_init(&all_there, NULL, 2);
    CHECK(pthread_create(&thread, NULL, emit_and_hold, NULL) == 0);
    pthread_barrier_wait(&all_there);
    pthread_join(thread, NULL);
    CHECK_EQUAL(dropped(GB_NO_RING), 5);
    CHECK_EQUAL(attempted(), 8);
}

static void limits(void **state)
{
    (void)state;
    expect_lines(file_size_limit, "RLIMIT_FSIZE", 1);
    expect_lines(file_size_limit_later, "RLIMIT_FSIZE", 1);
}

/* No descriptor left, stdin closed: never in the place of a standard stream. */
static void no_descriptors(void)
{
    struct rlimit limit = {3, 3};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    emit(3);
    CHECK(!gb_enabled());
}

static void stdin_closed(void)
{
    close(0);
    emit(3);
    CHECK(process_segment()->fd > 2);
    CHECK(fcntl(0, F_GETFD) < 0);
}

static void descriptors(void **state)
{
    (void)state;
    expect_lines(no_descriptors, "too many open files", 1);
    in_child(stdin_closed);
}

static void umask_is_not_ours(void)
{
    struct stat st;
    char path[256];
    umask(0777);
    emit(3);
    segment_path(path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
}

CHILD_TEST(whole)
CHILD_TEST(all_closed)
CHILD_TEST(removed)
CHILD_TEST(umask_is_not_ours)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_whole),      cmocka_unit_test(refused_directories),   cmocka_unit_test(small_file_systems),
        cmocka_unit_test(run_all_closed), cmocka_unit_test(run_removed),           cmocka_unit_test(limits),
        cmocka_unit_test(descriptors),    cmocka_unit_test(run_umask_is_not_ours),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
