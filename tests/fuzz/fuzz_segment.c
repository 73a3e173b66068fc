/* SPDX-License-Identifier: MIT */
/*
 * Everything that stands between a file and events (FAULTS 10 to 13): header, names, ring entries, records, frames, folds. A
 * segment that is right, with one of each (scene.h), is the beginning; the input changes bytes of it, before it is attached and
 * between and during the reads: first byte: how many of the edits come before; the second: whether a second thread makes the
 * rest while the drain reads; then edits of 4 bytes: where (16 bits), in which part
 * and how (xor, store, or add), what.
 *
 * Must hold: each event that comes out is whole, by the promises of gb/reporter.h; what was taken never passes the tail.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/sigbus.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/reading.h"
#include "tests/fuzz/scene.h"

#define FOLD_BYTES 16384
#define EDIT 4

static struct scene *scene;

/* ---- edits ---- */

static void apply(const uint8_t *edit)
{
    size_t part = edit[2] % SCENE_PARTS, within = (size_t)edit[0] | (size_t)edit[1] << 8;
    size_t where = scene->part[part].offset + within % scene->part[part].length;
    _Atomic uint8_t *byte = (_Atomic uint8_t *)(scene->fake->map + where);
    uint8_t before = atomic_load_explicit(byte, memory_order_relaxed);
    uint8_t after = edit[2] & 0x80 ? (uint8_t)(before + edit[3]) : edit[2] & 0x40 ? edit[3] : before ^ edit[3];
    atomic_store_explicit(byte, after, memory_order_relaxed);
}

struct edits {
    const uint8_t *at, *end;
    atomic_bool stop;
};

static void apply_some(struct edits *edits, unsigned count)
{
    for (; count && edits->end - edits->at >= EDIT; count--, edits->at += EDIT)
        apply(edits->at);
}

static void apply_next(void *context, unsigned pass)
{
    apply_some(context, 1 + pass);
}

/* Over and over, until the drain has read. */
static void *mutate(void *argument)
{
    struct edits *edits = argument;
    while (!atomic_load(&edits->stop))
        for (const uint8_t *at = edits->at; edits->end - at >= EDIT; at += EDIT)
            apply(at);
    return NULL;
}

static unsigned long read_with(const uint8_t *data, size_t size)
{
    struct attach_result result;
    struct segment *segment;
    pthread_t thread;
    scene_restore(scene);
    struct edits edits = {.at = data + 2, .end = data + size};
    bool mutated = data[1] & 1;
    apply_some(&edits, data[0]);
    if (segment_attach(scene->directory.fd, scene->fake->file, geteuid(), &result, &segment)) {
        CHECK(result.refusal && result.why[0]);
        return 0;
    }
    if (mutated)
        CHECK(!pthread_create(&thread, NULL, mutate, &edits));
    unsigned long events = reading_run(
        segment, &(struct reading){.moving = mutated, .between = mutated ? NULL : apply_next, .context = &edits});
    if (mutated) {
        atomic_store(&edits.stop, true);
        pthread_join(thread, NULL);
    }
    return events;
}

/* Without an edit everything comes out: else the rest would prove nothing. */
static void check_pristine(void)
{
    CHECK(read_with((const uint8_t[]){0, 0}, 2) == SCENE_EVENTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!scene) {
        scene = scene_make(FOLD_BYTES);
        CHECK(!sigbus_install());
        check_pristine();
    }
    if (size >= 2)
        read_with(data, size);
    return 0;
}
