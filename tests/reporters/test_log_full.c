/* SPDX-License-Identifier: MIT */
/* The reporter `log` and outputs that take nothing: full devices and disks, readers that are slow or gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/reporters/builtin.h"
#include "tests/reporters/log_scene.h"

static void full_device_keeps_what_it_holds(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    assert_int_equal(log_harness_open(&log, directory, "path=/dev/full"), 0);
    log_send(&log, &worker, 0, 0, 3);
    assert_int_equal(log_flush(&log), -EAGAIN);
    assert_int_equal(log_flush(&log), -EAGAIN);
    assert_non_null(strstr(log.said, "No space left"));
    assert_null(strstr(strstr(log.said, "No space left") + 1, "No space left")); /* said once */
    log_harness_close(&log);
    assert_non_null(strstr(log.said, "could not be written"));
}

/* Runs `body` in a child, so that what it does to descriptors, mounts and signals is its own. Its exit status. */
static int in_child(int (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define NOT_ALLOWED 77
#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "line %d: %s\n", __LINE__, #what);                                                         \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

static int full_disk(void)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    char options[256], filler[160], file[160];
    uint64_t next = 0;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", directory, "tmpfs", 0, "size=1m"))
        return NOT_ALLOWED;
    snprintf(file, sizeof(file), "%s/events.jsonl", directory);
    snprintf(options, sizeof(options), "path=%s", file);
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && posix_fallocate(fd, 0, 700 << 10) == 0);
    CHECK(log_harness_open(&log, directory, options) == 0);
    for (int i = 0; i < 100 && log_flush(&log) == 0; i++, next += 100)
        log_send(&log, &worker, 0, next, next + 100);
    CHECK(log_flush(&log) == -EAGAIN);
    CHECK(strstr(log.said, "No space left"));
    log_send(&log, &worker, 0, next, next + 100);
    next += 100;
    CHECK(log_flush(&log) == -EAGAIN);
    CHECK(ftruncate(fd, 0) == 0);
    CHECK(log_flush(&log) == 0);
    CHECK(strstr(log.said, "is written again"));
    log_harness_close(&log);
    CHECK(lines_in(file) == next && log.dropped == 0);
    char last[64];
    for (uint64_t seq = 0; seq < next; seq++) {
        snprintf(last, sizeof(last), "\"seq\":%llu}\n", (unsigned long long)seq);
        CHECK(count_in(file, last) == 1);
    }
    umount2(directory, MNT_DETACH);
    return 0;
}

static void full_disk_resumes(void **unused)
{
    (void)unused;
    int status = in_child(full_disk);
    if (status == NOT_ALLOWED) {
        print_message("no right to mount a tmpfs: skipped\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* A whole line or a part is in the full file; then the file is removed to make space: what was not told goes into the next. */
static int removed_while_full(void)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    char options[256], file[160];
    uint64_t next = 0;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", directory, "tmpfs", 0, "size=256k"))
        return NOT_ALLOWED;
    snprintf(file, sizeof(file), "%s/events.jsonl", directory);
    snprintf(options, sizeof(options), "path=%s", file);
    CHECK(log_harness_open(&log, directory, options) == 0);
    for (int i = 0; i < 100 && log_flush(&log) == 0; i++, next += 100)
        log_send(&log, &worker, 0, next, next + 100);
    char *text = log_read_file(file, NULL);
    unsigned whole = lines_in(file);
    CHECK(whole < next && text[strlen(text) - 1] != '\n');
    free(text);
    CHECK(unlink(file) == 0);
    tick(&log);
    CHECK(log_flush(&log) == 0);
    log_harness_close(&log);
    text = log_read_file(file, NULL);
    CHECK(strncmp(text, "{\"schema\"", 9) == 0 && lines_in(file) == next - whole);
    free(text);
    umount2(directory, MNT_DETACH);
    return 0;
}

static void removed_file_gives_its_space_back(void **unused)
{
    (void)unused;
    int status = in_child(removed_while_full);
    if (status == NOT_ALLOWED) {
        print_message("no right to mount a tmpfs: skipped\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* The segments' directory is full when the collector starts: it starts, and writes nothing before its place is stored. */
static int no_room_for_cursors(void)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    char options[256], filler[160], output[] = "/dev/shm/gb-test-log-out-XXXXXX";
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", directory, "tmpfs", 0, "size=64k"))
        return NOT_ALLOWED;
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && posix_fallocate(fd, 0, 64 << 10) == 0);
    int out = mkostemp(output, O_CLOEXEC);
    CHECK(out >= 0);
    close(out);
    snprintf(options, sizeof(options), "path=%s", output);
    CHECK(log_harness_open(&log, directory, options) == 0);
    CHECK(strstr(log.said, "nothing is written before") && gb_reporter_log.durable(log.self));
    log_send(&log, &worker, 0, 0, 2000);
    CHECK(log_flush(&log) == -EAGAIN);
    unsigned before = lines_in(output);
    CHECK(ftruncate(fd, 0) == 0);
    CHECK(log_flush(&log) == 0);
    unsigned after = lines_in(output);
    log_harness_close(&log);
    unlink(output);
    CHECK(before == 0 && after == 2000);
    umount2(directory, MNT_DETACH);
    return 0;
}

static void nothing_is_written_before_its_place_is_stored(void **unused)
{
    (void)unused;
    int status = in_child(no_room_for_cursors);
    if (status == NOT_ALLOWED) {
        print_message("no right to mount a tmpfs: skipped\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static size_t drain_pipe(int fd)
{
    static char buffer[1 << 16];
    size_t lines = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof(buffer))) > 0;)
        for (ssize_t i = 0; i < got; i++)
            lines += buffer[i] == '\n';
    return lines;
}

/* stdout is a pipe (or a socket) that nobody reads, then somebody, then nobody for ever. */
static int slow_reader(int reader, int writer)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    size_t lines = 0;
    CHECK(dup2(writer, STDOUT_FILENO) == STDOUT_FILENO && close(writer) == 0);
    CHECK(fcntl(reader, F_SETFL, O_NONBLOCK) == 0);
    CHECK(log_harness_open(&log, directory, "path=-") == 0 && !gb_reporter_log.durable(log.self));
    CHECK((fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0); /* ours alone is */
    log_send(&log, &worker, 0, 0, 2000);
    CHECK(log_flush(&log) == -EAGAIN);
    int flushed = -EAGAIN;
    for (int i = 0; i < 1000 && flushed == -EAGAIN; i++) {
        lines += drain_pipe(reader);
        flushed = log_flush(&log);
    }
    lines += drain_pipe(reader);
    CHECK(flushed == 0 && lines == 2000);
    close(reader);
    log_send(&log, &worker, 0, 2000, 2010);
    CHECK(log_flush(&log) == 0 && log.dropped == 10);
    log_send(&log, &worker, 0, 2010, 2020);
    CHECK(log_flush(&log) == 0 && log.dropped == 20 && log_flush(&log) == 0);
    CHECK(strcmp(log.said, "nobody reads stdout any more; what goes there is dropped and counted as no_reader\n") == 0);
    log_harness_close(&log);
    return 0;
}

static int slow_pipe(void)
{
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    return slow_reader(ends[0], ends[1]);
}

static int slow_socket(void)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return slow_reader(ends[0], ends[1]);
}

static void slow_readers_and_closed_ones(void **unused)
{
    (void)unused;
    assert_int_equal(in_child(slow_pipe), 0);
    assert_int_equal(in_child(slow_socket), 0);
}

static void fifo_without_a_reader(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    assert_int_equal(mkfifo(path, 0600), 0);
    open_log(&log, "");
    assert_false(gb_reporter_log.durable(log.self));
    log_send(&log, &worker, 0, 0, 500);
    assert_int_equal(log_flush(&log), -EAGAIN);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    size_t lines = 0;
    for (int i = 0; i < 1000 && log_flush(&log) == -EAGAIN; i++)
        lines += drain_pipe(reader);
    lines += drain_pipe(reader);
    assert_int_equal(lines, 500);
    close(reader);
    log_harness_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(full_device_keeps_what_it_holds),   LOG_TEST(full_disk_resumes),
        LOG_TEST(removed_file_gives_its_space_back), LOG_TEST(nothing_is_written_before_its_place_is_stored),
        LOG_TEST(slow_readers_and_closed_ones),      LOG_TEST(fifo_without_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
