/* SPDX-License-Identifier: MIT */
/* From a name in the directory to a detached segment: what is attached, refused, found dead, removed, kept. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/roster.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory base;
static struct directory directory;
static struct bell *bell;
static struct fanout *fanout;
static struct roster *roster;

static int set_up(void **state)
{
    (void)state;
    char why[640];
    fake_directory_make(&base);
    return directory_open(base.path, false, &directory, why, sizeof(why)) || bell_open(directory.fd, &bell, NULL) ||
           fanout_start(NULL, 0, base.path, &fanout) || roster_make(&directory, bell, &roster);
}

static int tear_down(void **state)
{
    (void)state;
    fanout_stop(fanout, 0);
    fanout_free(fanout);
    roster_free(roster);
    bell_close(bell);
    directory_close(&directory);
    fake_directory_remove(&base);
    return 0;
}

static struct segment *first(void)
{
    struct cds_list_head *list = roster_segments(roster);
    return cds_list_empty(list) ? NULL : cds_list_entry(list->next, struct segment, node);
}

static void attaches_once(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    for (unsigned i = 0; i < 3; i++)
        roster_found(roster, fake->file);
    roster_found(roster, "gb-00112233445566778899aabbccddeeff.seg"); /* gone */
    struct roster_counts counts = roster_count(roster);
    assert_int_equal(counts.seen, 1);
    assert_int_equal(counts.live, 1);
    assert_int_equal(counts.refused, 0);
    assert_string_equal(first()->worker->segment, fake->id);
    roster_probe(roster, true);
    assert_int_equal(roster_count(roster).live, 1); /* this process */
    fake_segment_free(fake);
}

static void bad_magic(struct gbw_header *header)
{
    header->magic = 0;
}

static void refused_until_it_changes(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, bad_magic);
    for (unsigned i = 0; i < 3; i++)
        roster_found(roster, fake->file);
    assert_int_equal(roster_count(roster).refused, 1);
    fake->header->magic = GBW_MAGIC;
    roster_found(roster, fake->file); /* a store to a mapping does not count */
    assert_int_equal(roster_count(roster).seen, 0);
    struct stat before, after;
    assert_int_equal(fstat(fake->fd, &before), 0);
    do { /* the clock of the filesystem is coarse */
        assert_int_equal(fchmod(fake->fd, 0600), 0);
        assert_int_equal(fstat(fake->fd, &after), 0);
    } while (before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
    roster_found(roster, fake->file);
    assert_int_equal(roster_count(roster).seen, 1);
    fake_segment_free(fake);
}

/* A worker that has made a segment and waits to be killed. */
static pid_t start_worker(char ret_file[64])
{
    int told[2];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t child = fork();
    if (!child) {
        fake_end_with_parent();
        struct fake_segment *fake = fake_segment_make(base.fd, NULL);
        fake_segment_lock(fake);
        if (write(told[1], fake->file, sizeof(fake->file)) != sizeof(fake->file))
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(told[0], ret_file, 64), 64);
    close(told[0]);
    close(told[1]);
    return child;
}

static bool stands(const char *file)
{
    return !faccessat(directory.fd, file, F_OK, 0);
}

static void kill_worker(pid_t worker)
{
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
}

static void dies_and_leaves(void **state)
{
    (void)state;
    char file[64];
    pid_t worker = start_worker(file);
    roster_found(roster, file);
    roster_probe(roster, true);
    assert_int_equal(first()->life, SEGMENT_LIVE);
    kill_worker(worker);
    roster_note_exit(roster, worker + 1, SIGSEGV);
    roster_note_exit(roster, worker, SIGKILL);
    roster_probe(roster, true);
    assert_int_equal(first()->life, SEGMENT_DEAD);
    assert_string_equal(first()->how, "killed");
    roster_retire(roster, fanout);
    assert_non_null(first()); /* not drained yet */
    atomic_store(&first()->batches, 1);
    atomic_store(&first()->life, SEGMENT_COMMITTED);
    struct segment *segment = first();
    roster_retire(roster, fanout);
    assert_null(first());
    assert_false(stands(file));
    assert_string_equal(segment->worker->program, "fake"); /* a batch still shows it */
    atomic_store(&segment->batches, 0);
    roster_retire(roster, fanout);
    assert_int_equal(roster_count(roster).seen, 1);
}

/* Its status was seen, and it was no signal: it left by _exit, which runs nothing. */
static void who_left_by_exit_was_not_killed(void **state)
{
    (void)state;
    char file[64];
    pid_t worker = start_worker(file);
    roster_found(roster, file);
    kill_worker(worker);
    roster_note_exit(roster, worker, 0);
    roster_probe(roster, true);
    assert_int_equal(first()->life, SEGMENT_DEAD);
    assert_string_equal(first()->how, "vanished");
}

/* Nobody has told how: for a child that is waited for a moment, then the answer is what can be seen. */
static void untold_child_vanishes_after_a_while(void **state)
{
    (void)state;
    char file[64];
    pid_t worker = start_worker(file);
    roster_found(roster, file);
    assert_true(first()->child);
    kill_worker(worker);
    roster_probe(roster, true);
    assert_int_equal(first()->life, SEGMENT_LIVE);
    assert_int_equal(roster_count(roster).hurried, 1);
    for (unsigned i = 0; i < 2000 && first()->life == SEGMENT_LIVE; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        roster_probe(roster, false);
    }
    assert_string_equal(first()->how, "vanished");
}

static void other_file_of_that_name_stays(void **state)
{
    (void)state;
    char file[64];
    pid_t worker = start_worker(file);
    roster_found(roster, file);
    kill_worker(worker);
    assert_int_equal(renameat(directory.fd, file, directory.fd, "kept"), 0);
    close(openat(directory.fd, file, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    atomic_store(&first()->life, SEGMENT_COMMITTED);
    roster_retire(roster, fanout);
    assert_null(first());
    assert_true(stands(file) && stands("kept"));
}

static void quarantined_is_not_attached_again(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL), *other;
    roster_found(roster, fake->file);
    atomic_store(&first()->life, SEGMENT_QUARANTINED);
    roster_probe(roster, true);
    roster_retire(roster, fanout);
    assert_null(first());
    assert_int_equal(fchmod(fake->fd, 0600), 0);
    roster_found(roster, fake->file);
    assert_null(first());
    assert_int_equal(roster_count(roster).quarantined, 1);
    assert_true(stands(fake->file));
    other = fake_segment_make(directory.fd, NULL);
    roster_found(roster, other->file);
    assert_non_null(first());
    fake_segment_free(fake);
    fake_segment_free(other);
}

static void backlog(void *context, const struct gb_worker *worker, uint64_t events)
{
    assert_string_equal(worker->program, "fake");
    *(uint64_t *)context += events;
}

static void live_ones_are_told_with_their_backlog(void **state)
{
    (void)state;
    uint64_t events = 0;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    fake_ring_add(fake, 256, 0);
    uint32_t path = fake_path(fake, GBW_ROOT, "step");
    for (unsigned i = 0; i < 10; i++)
        assert_true(fake_timing(fake, 0, path, i, 1, i + 1));
    fake_drop(fake, 0, GBW_BAD_VALUE);
    roster_found(roster, fake->file);
    assert_int_equal(ring_attach(first(), 0), 0);
    atomic_store(&first()->account.delivered, 3);
    roster_each_live(roster, backlog, &events);
    assert_int_equal(events, 7);
    fake_segment_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attaches_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_until_it_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dies_and_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_left_by_exit_was_not_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(untold_child_vanishes_after_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_file_of_that_name_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quarantined_is_not_attached_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(live_ones_are_told_with_their_backlog, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
