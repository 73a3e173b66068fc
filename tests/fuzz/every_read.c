/* SPDX-License-Identifier: MIT */
/*
 * FAULTS 12, at every read. What the collector maps of a segment (scene.h) is hidden from it: each of its reads faults, is noted, and runs
 * alone, by single step. First all reads are noted. Then, for each place that is read, everything is read once more, and just before
 * that read the worker's bytes become others: of each of three kinds, for good, or for this one read only. Not the fold tables, which one loop
 * copies whole, and of the second ring only that it is read.
 *
 * Must hold: no byte of a record, a frame, a name or a text is fetched twice; and whatever changes, each event that comes out is whole
 * (reading.h). x86-64: on other processors a process cannot step itself. One thread.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "collector/attach.h"
#include "gb/wire_fold.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/scene.h"

#define MAPS 8
#define READS_MAX 8192
#define TRAP_FLAG 0x100 /* of EFLAGS: SIGTRAP after one instruction */
#define WRITE_FAULT 2   /* of a page fault's error code */

#define NONE SIZE_MAX

static struct scene *scene;
/* The bytes change before this offset in the file is read; NONE: never, and all reads are noted. */
static size_t awaited = NONE;

/* ---- what the collector has mapped ---- */

static struct map {
    uint8_t *at;
    size_t bytes, offset; /* offset: in the file */
} maps[MAPS];

static const struct map *map_of(const uint8_t *at)
{
    for (unsigned i = 0; i < MAPS; i++)
        if (maps[i].at && at >= maps[i].at && at < maps[i].at + maps[i].bytes)
            return &maps[i];
    return NULL;
}

int __real_mprotect(void *at, size_t bytes, int protection);
int __wrap_mprotect(void *at, size_t bytes, int protection);

/* What is hidden stays so: it is shown when it is touched. */
int __wrap_mprotect(void *at, size_t bytes, int protection)
{
    return map_of(at) ? 0 : __real_mprotect(at, bytes, protection);
}

/* Pages that may be read just now: an instruction touches two at most, or copies from one to another. */
static uint8_t *shown[4];

static void allow(uint8_t *page, bool allowed)
{
    CHECK(!__real_mprotect(page, GBW_PAGE, allowed ? PROT_READ | PROT_WRITE : PROT_NONE));
}

/* All of it, or, once it is known what is read, the page of what is waited for. The fold tables, which end their map, are copied whole by
 * one loop: they may be read. */
static void hide(const struct map *map)
{
    size_t folds = scene->part[SCENE_FOLDS].offset - map->offset;
    if (awaited == NONE)
        CHECK(!__real_mprotect(map->at, folds < map->bytes ? folds : map->bytes, PROT_NONE));
    else if (awaited - map->offset < map->bytes)
        allow(map->at + (awaited - map->offset) / GBW_PAGE * GBW_PAGE, false);
}

void *__real_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);

void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    uint8_t *map = __real_mmap64(at, bytes, protection, flags, fd, offset);
    if (map == MAP_FAILED || protection != PROT_READ)
        return map;
    unsigned i = 0;
    while (maps[i].at)
        CHECK(++i < MAPS);
    maps[i] = (struct map){map, bytes, (size_t)offset};
    hide(&maps[i]);
    return map;
}

int __wrap_munmap(void *at, size_t bytes)
{
    for (unsigned i = 0; i < MAPS; i++)
        if (maps[i].at == at)
            maps[i].at = NULL;
    return __real_munmap(at, bytes);
}

/* ---- each read ---- */

enum lasting { FOR_GOOD, FOR_ONE_READ };

static const uint8_t *others; /* the other bytes, of the whole file */
static enum lasting lasting;
static volatile bool changed;

static volatile unsigned reads;     /* that were seen */
static size_t read_from[READS_MAX]; /* offsets in the file */

static void copy_parts(const uint8_t *from)
{
    for (unsigned i = 0; i < SCENE_PARTS; i++)
        memcpy(scene->fake->map + scene->part[i].offset, from + scene->part[i].offset, scene->part[i].length);
}

/* Of one of the maps. False: it is shown already. */
static bool show_page(uint8_t *at)
{
    uint8_t *page = at - (uintptr_t)at % GBW_PAGE;
    unsigned free_place = 0;
    while (shown[free_place] && shown[free_place] != page)
        CHECK(++free_place < sizeof(shown) / sizeof(shown[0]));
    if (shown[free_place])
        return false;
    shown[free_place] = page;
    allow(page, true);
    return true;
}

static void hide_shown(void)
{
    for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        if (shown[i] && !changed)
            allow(shown[i], false);
        shown[i] = NULL;
    }
}

static void note_read(size_t offset)
{
    if (awaited == NONE) {
        CHECK(reads < READS_MAX);
        read_from[reads++] = offset;
    } else if (offset == awaited) {
        changed = true;
        copy_parts(others);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint8_t *at = info->si_addr;
    const struct map *map = map_of(at);
    if (!map || !show_page(at)) {
        signal(number, SIG_DFL); /* it comes again, and ends us */
        return;
    }
    registers[REG_EFL] |= TRAP_FLAG;
    if (!(registers[REG_ERR] & WRITE_FAULT))
        note_read(map->offset + (size_t)(at - map->at));
}

static void on_step(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    hide_shown();
    if (changed && lasting == FOR_ONE_READ)
        copy_parts(scene->pristine);
}

static unsigned long read_changing(size_t offset)
{
    struct attach_result result;
    struct segment *segment;
    scene_restore(scene);
    awaited = offset;
    changed = false;
    CHECK(!segment_attach(scene->directory.fd, scene->fake->file, geteuid(), &result, &segment));
    unsigned long events = reading_run(segment, &(struct reading){.moving = offset != NONE});
    CHECK(offset == NONE || changed);
    return events;
}

/* ---- what is read twice ---- */

static bool is_in(enum scene_part part, size_t offset)
{
    return offset - scene->part[part].offset < scene->part[part].length;
}

static bool is_frame(size_t offset)
{
    return is_in(SCENE_PRODUCER, offset) &&
           offset - scene->part[SCENE_PRODUCER].offset >= offsetof(struct gbw_producer, frame);
}

/* All but texts is fetched in words of 8 bytes. */
static size_t word_of(size_t offset)
{
    return is_in(SCENE_TEXT, offset) ? offset : offset & ~(size_t)7;
}

static bool was_read_before(unsigned read)
{
    for (unsigned i = 0; i < read; i++)
        if (word_of(read_from[i]) == word_of(read_from[read]))
            return true;
    return false;
}

/* Counters and indices are looked at again and again: what stands behind them, once. When the open scopes' turn comes, the last records
 * are compared with them. */
static void check_once(void)
{
    unsigned once = 0, frames = 0;
    for (unsigned i = 0; i < reads; i++) {
        size_t offset = read_from[i];
        bool is_event = is_frame(offset) || (!frames && is_in(SCENE_SLOTS, offset));
        frames += is_frame(offset);
        once += is_event;
        if (is_event || is_in(SCENE_NAMES, offset) || is_in(SCENE_TEXT, offset))
            CHECK(!was_read_before(i));
    }
    CHECK(once >= 8 * (SCENE_EVENTS - 1)); /* the second ring has one */
}

/* ---- the other bytes ---- */

static void fill_ones(uint8_t *bytes, size_t size)
{
    memset(bytes, 0xff, size);
}

/* Each number a little greater: most of what looks right still looks right. */
static void fill_next(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i]++;
}

static void fill_random(uint8_t *bytes, size_t size)
{
    srandom(12);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random();
}

static bool is_in_scene(size_t offset)
{
    for (unsigned i = 0; i < SCENE_PARTS; i++)
        if (is_in(i, offset))
            return true;
    return false;
}

/* Before each first read of a part of the scene. Returns how many there are. */
static unsigned change_everywhere(void)
{
    unsigned runs = 0;
    for (unsigned i = 0; i < reads; i++) {
        if (was_read_before(i) || !is_in_scene(read_from[i]))
            continue;
        read_changing(read_from[i]);
        runs++;
    }
    return runs;
}

int main(void)
{
    static void (*const fillings[])(uint8_t * bytes, size_t size) = {fill_ones, fill_next, fill_random};
    const unsigned kinds = sizeof(fillings) / sizeof(fillings[0]);
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &fault, NULL) && !sigaction(SIGTRAP, &step, NULL));
    scene = scene_make(GBW_FOLD_BYTES_MIN);
    uint8_t *bytes = malloc(scene->fake->bytes);
    CHECK(bytes);

    unsigned runs = 0;
    CHECK(read_changing(NONE) == SCENE_EVENTS);
    check_once();
    others = bytes;
    for (unsigned i = 0; i < 2 * kinds; i++) {
        memcpy(bytes, scene->pristine, scene->fake->bytes);
        fillings[i / 2](bytes, scene->fake->bytes);
        lasting = i & 1 ? FOR_ONE_READ : FOR_GOOD;
        runs += change_everywhere();
    }
    free(bytes);
    printf("%u reads, changed in %u runs\n", reads, runs);
    return 0;
}
