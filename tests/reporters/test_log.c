/* SPDX-License-Identifier: MIT */
/* The reporter `log`: each line once, whatever becomes of its file: rotated, removed, cut, locked. What takes nothing is in test_log_full.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/reporters/builtin.h"
#include "tests/reporters/log_scene.h"

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
        LOG_TEST(exactly_once_over_restarts),     LOG_TEST(gaps_are_told),
        LOG_TEST(written_but_not_stored),         LOG_TEST(follows_a_rotation),
        LOG_TEST(follows_a_removal_and_a_reopen), LOG_TEST(copytruncate_goes_on),
        LOG_TEST(foreign_last_line_gets_its_end), LOG_TEST(refuses_what_is_no_output),
        LOG_TEST(unfinished_scopes_come_once),    LOG_TEST(forgets_segments_that_are_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
