/* SPDX-License-Identifier: MIT */
/* The reporter `log` against outputs that behave badly: rotated, removed, locked, full, slow, closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
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
#include "tests/reporters/log_harness.h"

static char directory[64], path[96], rotated[96];

static int setup(void **unused)
{
    (void)unused;
    log_directory_make(directory);
    snprintf(path, sizeof(path), "%s/events.jsonl", directory);
    snprintf(rotated, sizeof(rotated), "%s/events.jsonl.1", directory);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    log_directory_remove(directory);
    return 0;
}

static void open_log(struct log_harness *log, const char *more)
{
    char options[256];
    snprintf(options, sizeof(options), "path=%s%s", path, more);
    if (log_harness_open(log, directory, options))
        fail_msg("%s", log->said);
}

static void tick(struct log_harness *log)
{
    gb_reporter_log.tick(log->self, 1);
}

/* How often `what` stands in the file. */
static unsigned count_in(const char *file, const char *what)
{
    char *text = log_read_file(file, NULL);
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    free(text);
    return count;
}

static unsigned lines_in(const char *file)
{
    return count_in(file, "\n");
}

static void exactly_once_over_restarts(void **unused)
{
    (void)unused;
    static const char *const formats[] = {"", ",fields=compact", ",format=logfmt", ",format=logfmt,fields=compact"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const struct gb_worker worker = log_worker((uint32_t)i);
        struct log_harness log;
        uint64_t first = UINT64_MAX - 5; /* slots are counted modulo 2^64 */
        unlink(path);
        for (int restart = 0; restart < 3; restart++) { /* each replays all from the head */
            open_log(&log, formats[i]);
            assert_true(gb_reporter_log.durable(log.self));
            log_send_state(&log, &worker, GB_EVENT_STARTED);
            log_send(&log, &worker, 0, first, first + 10 + 10 * (uint64_t)restart);
            log_send(&log, &worker, 1, 0, 5);
            if (restart > 0)
                log_send_state(&log, &worker, GB_EVENT_FINISHED);
            assert_int_equal(log_flush(&log), 0);
            assert_int_equal(log.skipped, restart ? 5 + 10 * restart : 0);
            assert_int_equal(log.dropped, 0);
            log_harness_close(&log);
        }
        assert_int_equal(lines_in(path), 1 + 30 + 5 + 1);
        assert_int_equal(count_in(path, i % 4 >= 2 ? " seq=18446744073709551615\n" : "\"seq\":18446744073709551615}\n"),
                         1);
    }
}

/* What the queue did not take is told in its place, once. */
static void gaps_are_told(void **unused)
{
    (void)unused;
    static const char *const formats[] = {"", ",fields=compact", ",format=logfmt", ",format=logfmt,fields=compact"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const struct gb_worker worker = log_worker((uint32_t)i);
        const char *from = i >= 2 ? " from_seq=" : "\"from_seq\":", *seq = i >= 2 ? " seq=19\n" : "\"seq\":19}\n";
        struct log_harness log;
        unlink(path);
        open_log(&log, formats[i]);
        log_send(&log, &worker, 0, 5, 10); /* where it begins is no gap */
        log_send(&log, &worker, 1, 0, 5);
        assert_int_equal(count_in(path, "telemetry.gap"), 0);
        log_send(&log, &worker, 0, 20, 30);
        assert_int_equal(log_flush(&log), 0);
        log_harness_close(&log);
        assert_int_equal(lines_in(path), 5 + 5 + 1 + 10);
        assert_int_equal(count_in(path, "telemetry.gap"), 1);
        assert_int_equal(count_in(path, from), 1);
        assert_int_equal(count_in(path, seq), 1);
        open_log(&log, formats[i]);
        log_send(&log, &worker, 0, 20, 30); /* replayed */
        log_send(&log, &worker, 0, 30, 31);
        log_send(&log, &worker, 1, 7, 8); /* let pass, then killed */
        log_harness_close(&log);
        assert_int_equal(lines_in(path), 5 + 5 + 1 + 10 + 1 + 2);
        assert_int_equal(count_in(path, "telemetry.gap"), 2);
    }
}

static void written_but_not_stored(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    open_log(&log, "");
    log_send(&log, &worker, 0, 0, 10);
    assert_int_equal(log_flush(&log), 0);
    log_harness_close(&log);
    /* what a killed collector wrote after its last store: a line, and a part of the next */
    size_t length;
    char *text = log_read_file(path, &length);
    const char *last = memrchr(text, '\n', length - 1);
    FILE *file = fopen(path, "ae");
    fprintf(file, "%.*s10}\n%.200s", (int)(text + length - last - 4), last + 1, last + 1);
    fclose(file);
    free(text);
    open_log(&log, "");
    log_send(&log, &worker, 0, 0, 20);
    log_harness_close(&log);
    assert_int_equal(lines_in(path), 20);
    assert_int_equal(count_in(path, "\"seq\":10}\n"), 1);
}

static void follows_a_rotation(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    open_log(&log, "");
    log_send(&log, &worker, 0, 0, 10);
    assert_int_equal(rename(path, rotated), 0);
    tick(&log); /* finishes the old one first */
    log_send(&log, &worker, 0, 10, 20);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(lines_in(rotated), 10);
    assert_int_equal(lines_in(path), 10);
    log_harness_close(&log);
    /* rotated while no collector ran: known by its inode */
    char older[128];
    snprintf(older, sizeof(older), "%s/older", directory);
    assert_int_equal(rename(path, older), 0);
    open_log(&log, "");
    assert_string_equal(log.said, "");
    log_send(&log, &worker, 0, 0, 25);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(lines_in(path), 5);
    assert_int_equal(log.skipped, 20);
    /* and gone while no collector ran: said */
    log_harness_close(&log);
    unlink(path);
    open_log(&log, "");
    assert_non_null(strstr(log.said, "is gone"));
    log_harness_close(&log);
}

static void follows_a_removal_and_a_reopen(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    open_log(&log, ",fields=compact");
    log_send(&log, &worker, 0, 0, 10);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(gb_reporter_log.reopen(log.self), 0);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(lines_in(path), 10); /* they had not been written */
    assert_int_equal(rename(path, rotated), 0);
    tick(&log);
    log_send(&log, &worker, 0, 10, 12);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(lines_in(path), 2);
    assert_int_equal(count_in(path, "\"thread\":\"worker-0\""), 1); /* told once in each file */
    assert_int_equal(count_in(rotated, "\"thread\":\"worker-0\""), 1);
    log_harness_close(&log);
}

static void copytruncate_goes_on(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    open_log(&log, "");
    log_send(&log, &worker, 0, 0, 10);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(truncate(path, 0), 0);
    log_send(&log, &worker, 0, 10, 15);
    assert_int_equal(log_flush(&log), 0);
    log_harness_close(&log);
    assert_int_equal(lines_in(path), 5);
    assert_int_equal(truncate(path, 0), 0);
    open_log(&log, "");
    assert_non_null(strstr(log.said, "shorter"));
    log_send(&log, &worker, 0, 0, 16);
    log_harness_close(&log);
    assert_int_equal(lines_in(path), 1);
}

static void foreign_last_line_gets_its_end(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    FILE *file = fopen(path, "we");
    fputs("{\"schema\":1,\"event\":\"telemetry.timing\",\"torn by who kn", file);
    fclose(file);
    open_log(&log, "");
    log_send(&log, &worker, 0, 0, 3);
    log_harness_close(&log);
    assert_int_equal(count_in(path, "torn by who kn\n"), 1);
    assert_int_equal(lines_in(path), 4);
}

static void refused(const char *what, const char *why)
{
    struct log_harness log;
    char options[256];
    snprintf(options, sizeof(options), "path=%s", what);
    assert_true(log_harness_open(&log, directory, options) < 0);
    if (!strstr(log.said, why) || !strstr(log.said, what))
        fail_msg("said: %s", log.said);
}

static void refuses_what_is_no_output(void **unused)
{
    (void)unused;
    struct log_harness log, other;
    char missing[160];
    refused(directory, "is a directory");
    snprintf(missing, sizeof(missing), "%s/none/events", directory);
    refused(missing, "there is no directory");
    assert_int_equal(symlink("/dev/null", path), 0);
    refused(path, "is a symbolic link");
    unlink(path);
    open_log(&log, "");
    refused(path, "is locked");
    snprintf(missing, sizeof(missing), "%s/x", path);
    refused(missing, "is no directory");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    log_harness_close(&log);
    open_log(&other, ""); /* the lock went with it */
    log_harness_close(&other);
    assert_int_equal(log_harness_open(&log, directory, "path=/dev/null"), 0);
    assert_false(gb_reporter_log.durable(log.self));
    log_harness_close(&log);
}

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

static void unfinished_scopes_come_once(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    const struct gb_path path_of = {.id = 0, .text = "log.step", .length = 8};
    struct log_harness log;
    for (int restart = 0; restart < 2; restart++) {
        open_log(&log, "");
        log_send(&log, &worker, 0, 0, 10);
        for (uint64_t frame = 0; frame < 3; frame++) { /* behind the last slot */
            struct gb_event event = {
                .kind = GB_EVENT_TIMING, .flags = GB_EVENT_UNFINISHED, .seq = 10 + frame, .path = &path_of};
            log_send_event(&log, &worker, &event);
        }
        assert_int_equal(log.skipped, restart ? 10 : 0); /* they count in no sum */
        log_harness_close(&log);
    }
    assert_int_equal(count_in(path, "\"unfinished\":true,\"cause\":\"died\""), 3);
    assert_int_equal(lines_in(path), 13);
}

static void forgets_segments_that_are_gone(void **unused)
{
    (void)unused;
    struct log_harness log;
    open_log(&log, "");
    for (uint32_t id = 0; id < 3000; id++) {
        const struct gb_worker worker = log_worker(id);
        log_send(&log, &worker, 0, 0, 1);
        assert_int_equal(log_flush(&log), 0);
        gb_reporter_log.forget(log.self, worker.segment);
    }
    log_send(&log,
             &(struct gb_worker){.id = 0, .segment = "00000000000000000000000000000000", .program = "", .service = ""},
             0, 0, 1);
    assert_int_equal(log_flush(&log), 0);
    char cursors[128];
    struct stat status;
    glob_t found;
    snprintf(cursors, sizeof(cursors), "%s/cursor.log-*", directory);
    assert_int_equal(glob(cursors, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    assert_int_equal(stat(found.gl_pathv[0], &status), 0);
    assert_true(status.st_size < 16384);
    globfree(&found);
    log_harness_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exactly_once_over_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(gaps_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(written_but_not_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_a_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_a_removal_and_a_reopen, setup, teardown),
        cmocka_unit_test_setup_teardown(copytruncate_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_last_line_gets_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_output, setup, teardown),
        cmocka_unit_test_setup_teardown(full_device_keeps_what_it_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_resumes, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_file_gives_its_space_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_written_before_its_place_is_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_readers_and_closed_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(fifo_without_a_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(unfinished_scopes_come_once, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_segments_that_are_gone, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
