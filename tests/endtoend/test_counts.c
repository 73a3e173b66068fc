/* SPDX-License-Identifier: MIT */
/* Exact counts with real processes: what was emitted is delivered, or dropped and counted, and the sums agree. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/endtoend/harness.h"

static struct place place;
static struct log_report report;

static int setup(void **state)
{
    (void)state;
    place_make(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

static uint64_t returned(const struct tally *tally)
{
    uint64_t sum = 0;
    for (int i = 0; i < TALLY_THREADS; i++)
        sum += __atomic_load_n(&tally->thread[i].returned, __ATOMIC_RELAXED);
    return sum;
}

/* Reads "key": N out of the first object of the result envelope that has it after `after`. */
static uint64_t envelope_number(const char *text, const char *after, const char *key)
{
    const char *at = strstr(text, after);
    assert_non_null(at);
    at = strstr(at, key);
    assert_non_null(at);
    at = strchr(at, ':');
    return strtoull(at + 1, NULL, 10);
}

static char *slurp(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void ten_million_from_four_times_four(void **state)
{
    (void)state;
    const uint64_t events = 10000000 / 16;
    char spec[256];
    snprintf(spec, sizeof spec, "summary:format=json,queue=1024,path=%s", place_path(&place, "envelope"));
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    pid_t workers[4];
    for (int i = 0; i < 4; i++)
        workers[i] = worker(&place, "tally", 4, events, 4000, 0, "flush");
    for (int i = 0; i < 4; i++)
        assert_int_equal(finish(workers[i], 0), 0);
    assert_int_equal(finish(pid, SIGTERM), 0);
    assert_false(segments_left(&place, NULL));

    char *text = slurp(place_path(&place, "envelope"));
    uint64_t attempted = envelope_number(text, "\"all\"", "\"attempted\"");
    uint64_t delivered = envelope_number(text, "\"all\"", "\"delivered\"");
    uint64_t counted = envelope_number(text, "\"all\"", "\"n\"");
    assert_int_equal(attempted, 4 * 4 * events);
    assert_int_equal(delivered, attempted); /* each burst was flushed: there was room for all */
    assert_int_equal(counted, attempted);
    free(text);
}

static bool file_says(const char *path, const char *what)
{
    if (access(path, R_OK))
        return false;
    char *text = slurp(path);
    bool found = strstr(text, what) != NULL;
    free(text);
    return found;
}

static void full_ring_is_counted_and_told_in_its_place(void **state)
{
    (void)state;
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    char spec[256];
    const char *log = place_path(&place, "log");
    snprintf(spec, sizeof spec, "log:path=%s", log);
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    struct tally *tally = tally_map(&place, "tally");
    assert_int_equal(kill(pid, SIGSTOP), 0); /* until the rings have run over, however slow the worker is */
    pid_t w = worker(&place, "tally", 2, 0, 20000, 3000, "");
    WAIT_FOR(returned(tally) >= 20000);
    assert_int_equal(kill(pid, SIGCONT), 0);
    WAIT_FOR(file_says(log, "telemetry.lost"));
    __atomic_store_n(&tally->stop, 1, __ATOMIC_RELAXED);
    assert_int_equal(finish(w, 0), 0);
    unsetenv("GEMINI_BATCH_TELEMETRY_RING_BYTES");
    assert_int_equal(finish(pid, SIGTERM), 0);
    log_read((const char *const[]){log, NULL}, &report);
    const struct log_worker *line = log_worker_of(&report, w);
    assert_non_null(line);
    assert_true(line->finished);
    assert_int_equal(line->attempted, returned(tally));
    assert_int_equal(line->counters, line->delivered);
    assert_true(line->dropped > 0);
    assert_int_equal(line->delivered + line->dropped, line->attempted);
    /* gaps that came before a later event are told in the log; only trailing ones are not */
    assert_true(line->lost > 0 && line->lost <= line->dropped);
    assert_int_equal(report.duplicates, 0);
    assert_int_equal(report.torn, 0);
    munmap(tally, sizeof *tally);
}

/* FAULTS 26: as long as the collector stands still, workers go on and count what they drop; then it goes on, as if nothing had been. */
static void stopped_collector_recovers(void **state)
{
    (void)state;
    char spec[256];
    const char *log = place_path(&place, "log");
    snprintf(spec, sizeof spec, "log:path=%s", log);
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    struct tally *tally = tally_map(&place, "tally"), *later = tally_map(&place, "later");
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    pid_t w = worker(&place, "tally", 2, 20000, 20000, 3000, "");
    assert_int_equal(finish(w, 0), 0);
    unsetenv("GEMINI_BATCH_TELEMETRY_RING_BYTES");
    pid_t next = worker(&place, "later", 1, 1000, 1000, 0, "");
    assert_int_equal(finish(next, 0), 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(finish(pid, SIGTERM), 0);
    log_read((const char *const[]){log, NULL}, &report);
    const struct log_worker *line = log_worker_of(&report, w), *after = log_worker_of(&report, next);
    assert_non_null(line);
    assert_non_null(after);
    assert_true(line->finished && after->finished);
    assert_int_equal(line->attempted, returned(tally));
    assert_true(line->dropped > line->delivered && line->delivered > 0);
    assert_int_equal(line->delivered + line->dropped, line->attempted);
    assert_int_equal(line->counters, line->delivered);
    assert_true(after->attempted == returned(later) && after->delivered == after->attempted && after->dropped == 0);
    assert_int_equal(report.duplicates, 0);
    assert_int_equal(report.torn, 0);
    munmap(tally, sizeof *tally);
    munmap(later, sizeof *later);
}

static void forks_and_their_children_each_have_their_own(void **state)
{
    (void)state;
    char spec[256];
    const char *log = place_path(&place, "log");
    snprintf(spec, sizeof spec, "log:path=%s", log);
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    struct tally *tally = tally_map(&place, "tally");
    pid_t w = worker(&place, "tally", 3, 2000, 100, 100, "fork");
    assert_int_equal(finish(w, 0), 0);
    assert_int_equal(tally->processes, 4);
    assert_int_equal(finish(pid, SIGTERM), 0);
    log_read((const char *const[]){log, NULL}, &report);
    assert_int_equal(report.workers, 4);
    assert_int_equal(returned(tally), 4 * 3 * 2000);
    uint64_t delivered = 0, timings = 0;
    for (unsigned i = 0; i < report.workers; i++) {
        const struct log_worker *line = &report.worker[i];
        assert_true(line->started && line->finished);
        assert_int_equal(line->delivered + line->dropped, line->attempted);
        assert_int_equal(line->counters + line->timings, line->delivered);
        assert_int_equal(line->dropped, 0);
        assert_int_equal(line->counters, 3 * 2000);
        assert_string_equal(line->how, "exit");
        delivered += line->counters;
        timings += line->timings;
    }
    assert_int_equal(delivered, returned(tally));
    /* each process ends the scope that it began itself, and none that it inherited */
    assert_int_equal(timings, 4);
    munmap(tally, sizeof *tally);
}

static void late_collector_takes_what_the_rings_held(void **state)
{
    (void)state;
    struct tally *tally = tally_map(&place, "tally");
    pid_t w = worker(&place, "tally", 2, 1000, 100, 0, "");
    assert_int_equal(finish(w, 0), 0); /* nobody was there */
    unsigned left;
    assert_true(segments_left(&place, &left));
    assert_int_equal(left, 1);
    char spec[256];
    const char *log = place_path(&place, "log");
    snprintf(spec, sizeof spec, "log:path=%s", log);
    const char *argv[] = {program("GB_COLLECTOR"), "--once", "--dir", place.segments, "--reporter", spec, NULL};
    assert_int_equal(finish(spawn(&place, "once", argv), 0), 0);
    log_read((const char *const[]){log, NULL}, &report);
    assert_int_equal(report.counters, 2000);
    assert_int_equal(report.worker[0].attempted, 2000);
    assert_false(segments_left(&place, NULL));
    munmap(tally, sizeof *tally);
}

static void short_lived_threads_share_few_rings(void **state)
{
    (void)state;
    char spec[256];
    const char *log = place_path(&place, "log");
    snprintf(spec, sizeof spec, "log:path=%s,fields=full", log);
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    struct tally *tally = tally_map(&place, "tally");
    pid_t w = worker(&place, "tally", 4, 20000, 20, 200, "churn"); /* 4,000 threads */
    assert_int_equal(finish(w, 0), 0);
    assert_int_equal(finish(pid, SIGTERM), 0);
    log_read((const char *const[]){log, NULL}, &report);
    assert_int_equal(report.worker[0].delivered + report.worker[0].dropped, returned(tally));
    assert_int_equal(report.counters, report.worker[0].delivered);
    assert_int_equal(report.duplicates + report.torn, 0);
    munmap(tally, sizeof *tally);
}

static void second_collector_is_refused(void **state)
{
    (void)state;
    pid_t first = collector(&place, (const char *const[]){"summary", NULL});
    const char *argv[] = {program("GB_COLLECTOR"), "--dir", place.segments, NULL};
    pid_t second[20];
    for (int i = 0; i < 20; i++)
        second[i] = spawn(&place, "second", argv);
    for (int i = 0; i < 20; i++) {
        int status = finish(second[i], 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    }
    char holder[32];
    snprintf(holder, sizeof holder, "(pid %d)", first);
    char *said = slurp(place_path(&place, "output.second"));
    int named = 0;
    for (const char *at = said; (at = strstr(at, holder)); at++)
        named++;
    assert_int_equal(named, 20);
    free(said);
    assert_int_equal(finish(first, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ten_million_from_four_times_four, setup, teardown),
        cmocka_unit_test_setup_teardown(full_ring_is_counted_and_told_in_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_collector_recovers, setup, teardown),
        cmocka_unit_test_setup_teardown(forks_and_their_children_each_have_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(late_collector_takes_what_the_rings_held, setup, teardown),
        cmocka_unit_test_setup_teardown(short_lived_threads_share_few_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(second_collector_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
