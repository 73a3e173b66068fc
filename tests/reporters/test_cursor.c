/* SPDX-License-Identifier: MIT */
/* Cursors, the file that keeps them, and what is read from an output behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/reporters/cursor_file.h"
#include "collector/reporters/recover.h"
#include "tests/reporters/log_harness.h"

static char directory[64];

static int setup(void **unused)
{
    (void)unused;
    log_directory_make(directory);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    log_directory_remove(directory);
    return 0;
}

static struct cursor_segment *segment_of(struct cursors *cursors, unsigned id)
{
    const struct gb_worker worker = log_worker(id);
    struct cursor_segment *segment = cursors_of(cursors, &worker);
    assert_non_null(segment);
    return segment;
}

static void advance_over_the_end_of_64_bits(void **unused)
{
    (void)unused;
    struct cursors cursors = {0};
    struct cursor_ring *ring = cursor_ring(segment_of(&cursors, 1), 3);
    assert_false(cursor_has(ring, 0));
    cursor_advance(ring, UINT64_MAX - 1);
    assert_true(cursor_has(ring, UINT64_MAX - 2));
    assert_false(cursor_has(ring, UINT64_MAX - 1));
    cursor_advance(ring, 5);
    assert_true(cursor_has(ring, UINT64_MAX));
    assert_true(cursor_has(ring, 4));
    assert_false(cursor_has(ring, 5));
    cursor_advance(ring, 3); /* never back */
    assert_true(cursor_has(ring, 4));
    assert_null(cursor_ring(segment_of(&cursors, 1), 1u << 31));
    cursors_clear(&cursors);
}

static void alike_segments_get_all_their_digits(void **unused)
{
    (void)unused;
    struct cursors cursors = {0};
    struct cursor_segment *first = segment_of(&cursors, 1), *alike = segment_of(&cursors, 1001);
    assert_int_equal(first->digits, SEGMENT_TEXT_SHORT);
    assert_int_equal(alike->digits, SEGMENT_TEXT);
    assert_ptr_equal(cursors_short(&cursors, first->id, SEGMENT_TEXT_SHORT), first);
    cursors_clear(&cursors);
}

static void workers_come_and_go(void **unused)
{
    (void)unused;
    struct cursors cursors = {0};
    struct gb_worker worker = log_worker(1), other = log_worker(2);
    other.id = worker.id; /* reused */
    struct cursor_segment *segment = cursors_of(&cursors, &worker);
    assert_ptr_equal(cursors_of(&cursors, &worker), segment);
    assert_ptr_not_equal(cursors_of(&cursors, &other), segment);
    cursors_forget(&cursors, worker.segment);
    assert_int_equal(cursors.count, 1);
    assert_false(cursors_of(&cursors, &worker)->started);
    for (unsigned i = 10; i < 30; i++)
        segment_of(&cursors, i)->seen = i == 10;
    cursors_prune(&cursors, 4);
    assert_int_equal(cursors.count, 7); /* three that were seen */
    cursors_clear(&cursors);
}

/* What was stored, in a new instance. */
static void load(struct cursors *cursors, struct place *place, int expected)
{
    struct cursor_file *file;
    *cursors = (struct cursors){0};
    assert_int_equal(cursor_file_open(directory, "log", "/some/where/log", &file), 0);
    assert_int_equal(cursor_file_load(file, cursors, place), expected);
    cursor_file_free(file);
}

static void comes_back_however_large(void **unused)
{
    (void)unused;
    static const unsigned sizes[] = {0, 1, 20, 1000, 3000, 10, 1};
    struct cursor_file *file;
    assert_int_equal(cursor_file_open(directory, "log", "/some/where/log", &file), 0);
    for (size_t round = 0; round < sizeof(sizes) / sizeof(sizes[0]); round++) {
        struct cursors cursors = {0}, back;
        struct place place = {1, 2, round}, place_back;
        for (unsigned i = 0; i < sizes[round]; i++) {
            struct cursor_segment *segment = segment_of(&cursors, i);
            segment->started = i % 2;
            segment->finished = i % 3 == 0;
            cursor_advance(cursor_ring(segment, i % 5), i * 7u + round);
        }
        assert_int_equal(cursor_file_take(file, &cursors), 0);
        assert_int_equal(cursor_file_store(file, &place), 0);
        assert_int_equal(cursor_file_store(file, &place), 0);
        load(&back, &place_back, 0);
        assert_memory_equal(&place, &place_back, sizeof(place));
        assert_int_equal(back.count, sizes[round]);
        for (unsigned i = 0; i < sizes[round]; i++) {
            struct cursor_segment *segment = segment_of(&back, i);
            assert_int_equal(segment->started, i % 2);
            assert_int_equal(segment->finished, i % 3 == 0);
            assert_int_equal(segment->digits, segment_of(&cursors, i)->digits);
            assert_true(cursor_has(cursor_ring(segment, i % 5), i * 7u + round - 1));
            assert_false(cursor_has(cursor_ring(segment, i % 5), i * 7u + round));
            assert_false(cursor_ring(segment, (i + 1) % 5)->known);
        }
        cursors_clear(&cursors);
        cursors_clear(&back);
    }
    struct stat status;
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, cursor_file_name(file));
    cursor_file_free(file);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 16384); /* it has shrunk again */
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* Whatever byte of the newer slot is wrong, the older one counts; of both: none. */
static void broken_slots(void **unused)
{
    (void)unused;
    struct cursor_file *file;
    struct cursors cursors = {0};
    struct place place;
    char path[128];
    size_t length;
    load(&cursors, &place, -ENOENT);
    assert_int_equal(cursor_file_open(directory, "log", "/some/where/log", &file), 0);
    snprintf(path, sizeof(path), "%s/%s", directory, cursor_file_name(file));
    cursor_advance(cursor_ring(segment_of(&cursors, 1), 0), 100);
    for (uint64_t size = 1; size <= 2; size++) { /* generation 1 in slot 1, 2 in slot 0 */
        assert_int_equal(cursor_file_take(file, &cursors), 0);
        assert_int_equal(cursor_file_store(file, &(struct place){7, 8, size}), 0);
    }
    cursor_file_free(file);
    cursors_clear(&cursors);
    char *whole = log_read_file(path, &length);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (off_t at = 64; at < 64 + 8 * 6; at++) { /* the head of slot 0 */
        char broken = (char)(whole[at] ^ 0x10);
        assert_int_equal(pwrite(fd, &broken, 1, at), 1);
        load(&cursors, &place, 0);
        assert_int_equal(place.size, 1);
        assert_int_equal(cursors.count, 1);
        cursors_clear(&cursors);
        assert_int_equal(pwrite(fd, &whole[at], 1, at), 1);
    }
    load(&cursors, &place, 0);
    assert_int_equal(place.size, 2);
    cursors_clear(&cursors);
    assert_int_equal(ftruncate(fd, 80), 0);
    load(&cursors, &place, -EBADMSG);
    cursors_clear(&cursors);
    close(fd);
    free(whole);
}

/* Under the file's name stands something that is no file of this directory alone, though it holds right cursors: it is not
 * read, and a store leaves it as it was. */
static void foreign_files(void **unused)
{
    (void)unused;
    char other[128], path[128];
    struct cursor_file *file;
    struct cursors cursors = {0};
    struct place place;
    size_t length;
    snprintf(other, sizeof(other), "%s/other", directory);
    const unsigned kinds = geteuid() ? 4 : 5; /* only root can give it another owner */
    for (unsigned kind = 0; kind < kinds; kind++) {
        assert_int_equal(cursor_file_open(directory, "log", "/some/where/log", &file), 0);
        snprintf(path, sizeof(path), "%s/%s", directory, cursor_file_name(file));
        assert_int_equal(cursor_file_take(file, &cursors), 0);
        assert_int_equal(cursor_file_store(file, &(struct place){1, 2, 3}), 0);
        cursor_file_free(file);
        load(&cursors, &place, 0);
        cursors_clear(&cursors);
        assert_int_equal(rename(path, other), 0);
        int fd = open(other, O_RDWR | O_CLOEXEC);
        char *before = log_read_file(other, &length);
        if (kind == 0)
            assert_int_equal(symlink("other", path), 0);
        else if (kind == 1)
            assert_int_equal(link(other, path), 0);
        else if (kind == 2)
            assert_int_equal(mkfifo(path, 0600), 0);
        else if (kind == 3)
            assert_int_equal(symlink("/proc/self/fd/0", path), 0);
        else
            assert_int_equal(rename(other, path) | chown(path, 12345, (gid_t)-1), 0);
        load(&cursors, &place, -EBADMSG);
        cursors_clear(&cursors);
        assert_int_equal(cursor_file_open(directory, "log", "/some/where/log", &file), 0);
        assert_int_equal(cursor_file_load(file, &cursors, &place), -EBADMSG);
        for (uint64_t size = 7; size < 10; size++) {
            assert_int_equal(cursor_file_take(file, &cursors), 0);
            assert_int_equal(cursor_file_store(file, &(struct place){7, 8, size}), 0);
        }
        cursor_file_free(file);
        char *now = malloc(length);
        assert_int_equal(pread(fd, now, length, 0), length);
        assert_memory_equal(now, before, length);
        free(now);
        load(&cursors, &place, 0); /* a file of ours has the name now */
        cursors_clear(&cursors);
        free(before);
        close(fd);
        unlink(path);
        unlink(other);
    }
}

static bool recovers(struct cursors *cursors, const char *line)
{
    return recover_line(cursors, line, strlen(line));
}

static void our_lines_are_known_and_no_others(void **unused)
{
    (void)unused;
    struct cursors cursors = {0};
    const struct gb_worker worker = log_worker(1);
    char line[512];
    snprintf(line, sizeof(line),
             "{\"schema\":1,\"event\":\"telemetry.timing\",\"x\":1,\"segment\":\"%s\",\"ring\":2,\"seq\":41}",
             worker.segment);
    assert_true(recovers(&cursors, line));
    struct cursor_ring *ring = cursor_ring(segment_of(&cursors, 1), 2);
    assert_true(cursor_has(ring, 41));
    assert_false(cursor_has(ring, 42));
    snprintf(line, sizeof(line), "{\"event\":\"telemetry.metric\",\"segment\":\"%.8s\",\"ring\":2,\"seq\":52}",
             worker.segment);
    assert_true(recovers(&cursors, line));
    assert_true(cursor_has(ring, 52));
    snprintf(line, sizeof(line),
             "event=telemetry.metric metadata.x=\" segment=1 ring=1 seq=1\" segment=%.8s ring=2 seq=61",
             worker.segment);
    assert_true(recovers(&cursors, line));
    assert_true(cursor_has(ring, 61));
    snprintf(line, sizeof(line),
             "{\"schema\":1,\"event\":\"telemetry.worker\",\"state\":\"finished\",\"program\":"
             "\"\\\"state\\\":\\\"started\\\"\",\"segment\":\"%s\"}",
             worker.segment);
    assert_true(recovers(&cursors, line));
    assert_true(segment_of(&cursors, 1)->finished);
    assert_false(segment_of(&cursors, 1)->started);
    static const char *const foreign[] = {
        "",
        "hello",
        "{}",
        "{\"schema\":1,\"event\":\"telemetry.timing\"}",
        "{\"schema\":1,\"event\":\"telemetry.timing\",\"segment\":\"9f000001\",\"ring\":2,\"seq\":99",
        "{\"schema\":1,\"event\":\"telemetry.timing\",\"segment\":\"9f000001\",\"ring\":2,\"seq\":}",
        "{\"schema\":1,\"event\":\"telemetry.timing\",\"segment\":\"9f000001\",\"ring\":2,\"seq\":99} ",
        "{\"event\":\"telemetry.timing\",\"segment\":\"ffffffff\",\"ring\":2,\"seq\":99}",
        "{\"event\":\"telemetry.timing\",\"segment\":\"9f000001\",\"ring\":99999999999,\"seq\":99}",
        "{\"event\":\"other\",\"segment\":\"9f000001\",\"ring\":2,\"seq\":99}",
    };
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_false(recovers(&cursors, foreign[i]));
    assert_false(cursor_has(ring, 62));
    cursors_clear(&cursors);
}

/* A file of which the first `known` bytes are stored: what is left of it, and how far the cursor of ring 0 is. */
static void check_output(const char *text, uint64_t known, const char *left, uint64_t next)
{
    struct cursors cursors = {0};
    char path[128];
    uint64_t lines;
    snprintf(path, sizeof(path), "%s/out", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(recover_output(fd, known, &cursors, &lines), 0);
    close(fd);
    char *now = log_read_file(path, NULL);
    assert_string_equal(now, left);
    free(now);
    struct cursor_ring *ring = cursor_ring(segment_of(&cursors, 1), 0);
    assert_int_equal(ring->known ? ring->next : 0, next);
    cursors_clear(&cursors);
}

#define LINE(seq)                                                                                                      \
    "{\"schema\":1,\"event\":\"telemetry.timing\",\"segment\":\"9f000001000000000000000000000001\",\"ring\":0,"        \
    "\"seq\":" #seq "}\n"
#define TORN "{\"schema\":1,\"event\":\"telem"

static void torn_lines_go_and_nothing_else(void **unused)
{
    (void)unused;
    uint64_t one = strlen(LINE(1));
    check_output("", 0, "", 0);
    check_output(LINE(1), one, LINE(1), 0);
    check_output(LINE(1) LINE(2), one, LINE(1) LINE(2), 3);
    check_output(LINE(1) LINE(2) TORN, one, LINE(1) LINE(2), 3);
    check_output(LINE(1) "{", one, LINE(1), 0);
    check_output(LINE(1) LINE(2) "foreign\n" TORN, one, LINE(1) LINE(2) "foreign\n", 3);
    check_output(LINE(1) LINE(2) "foreign", one, LINE(1) LINE(2) "foreign", 3);
}

static void long_files_are_read_in_parts(void **unused)
{
    (void)unused;
    size_t size = (6u << 20), used = 0;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', 3u << 20); /* a line longer than any of ours */
    used = 3u << 20;
    text[used++] = '\n';
    unsigned seq = 0;
    while (used < size - 200)
        used += (size_t)snprintf(text + used, 200,
                                 "{\"schema\":1,\"event\":\"telemetry.timing\",\"segment\":"
                                 "\"9f000001000000000000000000000001\",\"ring\":0,\"seq\":%u}\n",
                                 seq++);
    text[used] = 0;
    check_output(text, 0, text, seq);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(advance_over_the_end_of_64_bits),
                                       cmocka_unit_test(alike_segments_get_all_their_digits),
                                       cmocka_unit_test(workers_come_and_go),
                                       cmocka_unit_test_setup_teardown(comes_back_however_large, setup, teardown),
                                       cmocka_unit_test_setup_teardown(broken_slots, setup, teardown),
                                       cmocka_unit_test_setup_teardown(foreign_files, setup, teardown),
                                       cmocka_unit_test(our_lines_are_known_and_no_others),
                                       cmocka_unit_test_setup_teardown(torn_lines_go_and_nothing_else, setup, teardown),
                                       cmocka_unit_test_setup_teardown(long_files_are_read_in_parts, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
