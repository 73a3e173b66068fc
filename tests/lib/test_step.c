/* SPDX-License-Identifier: MIT */
/*
 * A worker that is stopped after each single instruction of its emits: whenever it is killed, this is what it leaves. Looked at from
 * another process, by the wire format alone.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "gb/wire_fold.h"
#include "lib/rings.h"
#include "tests/lib/child.h"
#include "tests/lib/folds.h"
#include "tests/lib/view.h"

#define TEXT "a text that stands in the arena, and then in slots of its own"
#define STEPS_MAX 200000u
#define FIRST 1000u /* index of the ring's first slot */

static void emit(void)
{
    GB_SCOPE ("outer") {
        GB_SCOPE ("inner", GB_KV("text", TEXT))
            GB_COUNT("items", 1);
    }
    GB_COUNT("items", -1); /* dropped */
    GB_COUNT("after", 1);  /* and told before this */
}

#define LEVELS 36u /* deeper than there are places for frames */

static void nest(unsigned levels)
{
    GB_SCOPE ("level") {
        if (levels > 1)
            nest(levels - 1);
    }
}

static void emit_deep(void)
{
    nest(LEVELS);
}

/* The frames that come back stand where another scope's was in between. */
static void emit_restored(void)
{
    GB_SCOPE ("outer") {
        struct gb_context context = gb_context_save();
        GB_SCOPE ("between")
            GB_COUNT("items", 1);
        gb_context_restore(&context);
    }
}

/* Into a ring that is full from the first round on: folded. */
static void emit_folds(void)
{
    static bool full;
    const struct gb_name *timing = gb_name("timing");
    for (unsigned i = 0; i < 2 * GBW_RING_BYTES_MIN / GBW_SLOT && !full; i++)
        GB_COUNT("fill", 3);
    full = true;
    GB_SCOPE ("folded")
        GB_COUNT("items", 3);
    gb_timing(timing, 5000, 5300, NULL, 0);
    GB_METRIC("negative", -2.5);
    GB_METRIC("zero", 0);
    GB_GAUGE("gauge", 4.5);
}

/* What is between the two stops is stepped through. Warm: ring, names and cache are there; else only the segment is. */
static void worker(void (*emits)(void), bool warm)
{
    NOT_UNDER_TSAN(); /* most of its instructions are not ours */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(CANNOT);
    gb_ring_start = FIRST;
    if (emits == emit_folds)
        setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16K", 1);
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "fold", 1);
    if (warm)
        emits();
    else if (!gb_enabled())
        _exit(1);
    raise(SIGSTOP);
    emits();
    raise(SIGSTOP);
    _exit(0);
}

/* Events and timings that were published since `from`, each of them whole. */
struct told {
    uint64_t events, timings, lost;
    const struct gbw_record *last_timing;
};

static struct told read_slots(uint64_t from, uint64_t tail)
{
    struct told told = {0};
    for (uint64_t at = from; at != tail; at++) {
        const struct gbw_record *record = &view.slots[at & view.mask];
        const struct gbw_more *more = (const void *)record;
        if (kind_of(record) == GBW_LOST) {
            told.lost++;
        } else if (kind_of(record) == GBW_MORE) {
            const char *part = &TEXT[(more->index - 1u) * GBW_MORE_BYTES];
            assert_true(more->total == 2 && (more->index == 1 || more->index == 2));
            assert_memory_equal(more->bytes, part, more->index == 1 ? GBW_MORE_BYTES : strlen(part));
        } else {
            assert_in_range(kind_of(record), GBW_TIMING, GBW_SAMPLE);
            assert_in_range(path_of(record), GBW_FIRST_NAME, view.header->name_count - 1);
            told.events++;
        }
        if (kind_of(record) == GBW_TIMING) {
            told.timings++;
            told.last_timing = record;
        }
    }
    return told;
}

/* How it stood before the second round. */
static struct before {
    uint64_t tail, attempted, dropped, folded, starts;
} before;

static uint64_t open_most; /* scopes that were ever seen open or told */

static void sums_agree(void)
{
    struct told told = read_slots(before.tail, view.producer->tail);
    uint64_t settled = told.events + view_dropped() - before.dropped + view.producer->folded - before.folded;
    assert_in_range(view.producer->attempted - before.attempted - settled, 0, 1);
    assert_true(told.lost <= view_dropped() - before.dropped);
}

static unsigned redone; /* steps after which the redo was needed */

/* Killed here, every event that was counted is in its fold once, and whole. */
static void folds_are_whole(void)
{
    static struct folds folds;
    const struct gbw_fold *fold;
    folds_read(&folds, view.fold_area, view.fold_bytes, view.producer->fold_epoch, view.producer->folded);
    redone += folds.redone;
    assert_true(view.producer->fold_epoch == 1 && view.producer->fold_busy <= 1);
    assert_true(view.producer->folded == folds.as.table.applied || (folds.redone && view.producer->fold_busy == 1));
    assert_int_equal(folds_events(&folds), view.producer->folded);
    for (uint32_t i = 0; (fold = folds_at(&folds, i)); i++) {
        uint64_t placed = folds_placed(&folds, i) + fold->zero, kind = fold->key & 0xff;
        assert_int_equal(placed, kind == GBW_TIMING || kind == GBW_SAMPLE ? fold->count : 0);
        if (kind == GBW_COUNTER)
            assert_true(fold->sum[0] == 3 * fold->count && fold->sum[1] == 0);
        if (kind == GBW_TIMING && fold->key >> 16 & GBW_F_NANOSECONDS)
            assert_int_equal(fold->sum[0], 300 * fold->count);
    }
    assert_int_equal(view.fold_area[view.fold_bytes / 2 - 1], 0); /* the end of the other table */
    sums_agree();
}

static void scope_is_open_or_told(void)
{
    struct told told = read_slots(before.tail, view.producer->tail);
    uint32_t depth = view.producer->depth;
    bool twice = depth + told.timings > open_most && told.timings &&
                 view.producer->frame[depth - 1].word[1] == told.last_timing->word[1];
    assert_true(depth <= 2);
    assert_true(depth + told.timings >= open_most); /* else one of them would vanish */
    if (twice)                                      /* ended, and still open: which the autopsy recognises so */
        assert_int_equal(path_of(&view.producer->frame[depth - 1]), path_of(told.last_timing));
    else
        open_most = depth + told.timings;
    for (uint32_t i = 0; i < depth; i++) {
        assert_int_equal(kind_of(&view.producer->frame[i]), GBW_TIMING);
        assert_in_range(path_of(&view.producer->frame[i]), GBW_FIRST_NAME, view.header->name_count - 1);
        assert_true(view.producer->frame[i].word[1] > before.starts); /* not what stood there from the last time */
    }
    if (depth == 2) {
        assert_int_equal(view.producer->ext[1].length, strlen(TEXT));
        assert_memory_equal(view.arena + view.producer->ext[1].offset, TEXT, strlen(TEXT));
    }
}

static uint32_t shown; /* frames, one instruction ago */

/* A frame that comes to be shown is whole: what stood in its place before has been told. */
static void new_frames_are_open(void)
{
    uint32_t depth = view.producer->depth;
    for (uint32_t i = shown; i < depth; i++) {
        const struct gbw_record *frame = &view.producer->frame[i];
        assert_true(kind_of(frame) == GBW_TIMING && frame->word[1] > before.starts);
        for (uint64_t at = before.tail; at != view.producer->tail; at++) {
            const struct gbw_record *record = &view.slots[at & view.mask];
            assert_false(path_of(record) == path_of(frame) && record->word[1] == frame->word[1]);
        }
    }
    shown = depth;
    sums_agree();
}

static uint32_t nesting_of(uint32_t path)
{
    const struct gbw_name *names = (const void *)(view.map + view.header->names_offset);
    uint32_t levels = 0;
    for (; path != GBW_ROOT; path = names[path].parent)
        levels++;
    return levels;
}

/* The last place holds the innermost scope, whole, or depth says that there is none in it. */
static void frames_are_whole(void)
{
    uint32_t depth = view.producer->depth;
    for (uint32_t i = 0; i < depth && i < GBW_FRAMES; i++) {
        const struct gbw_record *frame = &view.producer->frame[i];
        uint32_t levels = i < GBW_FRAMES - 1 ? i + 1 : depth;
        assert_int_equal(nesting_of(path_of(frame)), levels);
        assert_true(frame->word[1] > before.starts && (i == 0 || frame->word[1] >= frame[-1].word[1]));
    }
    sums_agree();
}

/* All that the counts of the tables cover is whole, and a ring begins where it says. */
static void tables_are_whole(void)
{
    const struct gbw_name *names = (const void *)(view.map + view.header->names_offset);
    const uint8_t *text = view.map + view.header->text_offset;
    for (uint32_t i = 1; i < view.header->name_count; i++) {
        assert_in_range(names[i].kind, GBW_NAME_PATH, GBW_NAME_KEY);
        assert_true(names[i].length > 0 && names[i].parent < i);
        assert_true(names[i].text + names[i].length <= view.header->text_bytes);
        assert_null(memchr(text + names[i].text, 0, names[i].length));
    }
    if (view.header->ring_count == 0)
        return;
    view_find_ring();
    assert_int_equal(view.consumer->head, FIRST);
    assert_in_range(view.producer->tail, FIRST, FIRST + 9); /* with the lease */
    assert_int_equal(view.producer->leased, 1);
    if (view.producer->tail == FIRST)
        return;
    const struct gbw_lease *lease = (const void *)&view.slots[FIRST & view.mask];
    assert_true(lease->kind == GBW_LEASE && lease->number == 1 && lease->tid == view.producer->tid);
    assert_true(view.producer->tail - FIRST >= 2); /* it comes with the first event */
    read_slots(FIRST + 1, view.producer->tail);
}

static void remember(void)
{
    view_find_ring();
    before = (struct before){.tail = view.producer->tail,
                             .attempted = view.producer->attempted,
                             .dropped = view_dropped(),
                             .folded = view.producer->folded,
                             .starts = 0};
    for (uint64_t at = FIRST; at != before.tail; at++)
        if (kind_of(&view.slots[at & view.mask]) == GBW_TIMING && view.slots[at & view.mask].word[1] > before.starts)
            before.starts = view.slots[at & view.mask].word[1];
    open_most = 0;
}

static struct told step_through(void (*emits)(void), bool warm, void (*look)(void))
{
    int status;
    unsigned steps = 0;
    scratch_empty();
    pid_t pid = fork();
    if (pid == 0)
        worker(emits, warm);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
        skip();
    view_open();
    if (warm)
        remember();
    else
        before = (struct before){.tail = FIRST + 1};
    for (status = 0; !(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP) && steps < STEPS_MAX; steps++) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        look();
    }
    assert_in_range(steps, 300, STEPS_MAX - 1);
    struct told told = read_slots(before.tail, view.producer->tail);
    assert_int_equal(view.producer->depth, 0);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    view_close();
    return told;
}

static void expect_all(struct told told)
{
    assert_true(told.events == 4 && told.timings == 2 && told.lost == 1);
}

static void each_instruction_leaves_sums_that_agree(void **state)
{
    (void)state;
    expect_all(step_through(emit, true, sums_agree));
}

static void each_instruction_shows_an_open_scope_or_its_timing(void **state)
{
    (void)state;
    expect_all(step_through(emit, true, scope_is_open_or_told));
    assert_int_equal(open_most, 2);
}

static void each_instruction_of_a_first_emit_leaves_whole_tables(void **state)
{
    (void)state;
    expect_all(step_through(emit, false, tables_are_whole));
}

static void each_instruction_of_a_deep_nest_shows_whole_frames(void **state)
{
    (void)state;
    struct told told = step_through(emit_deep, true, frames_are_whole);
    assert_true(told.events == LEVELS && told.timings == LEVELS);
}

static void each_instruction_of_a_restore_shows_whole_frames(void **state)
{
    (void)state;
    shown = 0;
    struct told told = step_through(emit_restored, true, new_frames_are_open);
    assert_true(told.events == 3 && told.timings == 2);
}

static void each_instruction_leaves_whole_folds(void **state)
{
    (void)state;
    redone = 0;
    struct told told = step_through(emit_folds, true, folds_are_whole);
    assert_int_equal(told.events, 0);
    assert_true(redone > 50); /* else it was not stepped through */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_instruction_leaves_sums_that_agree),
        cmocka_unit_test(each_instruction_shows_an_open_scope_or_its_timing),
        cmocka_unit_test(each_instruction_of_a_first_emit_leaves_whole_tables),
        cmocka_unit_test(each_instruction_of_a_deep_nest_shows_whole_frames),
        cmocka_unit_test(each_instruction_of_a_restore_shows_whole_frames),
        cmocka_unit_test(each_instruction_leaves_whole_folds),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
