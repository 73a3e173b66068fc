/* SPDX-License-Identifier: MIT */
/*
 * Metrics, previews, and timings that were measured elsewhere. In: the macros and functions of telemetry.h. Out: one event in
 * the ring. On the calling thread; hot.
 */
#include <string.h>

#include "lib/attr.h"
#include "lib/clock.h"
#include "lib/path.h"
#include "lib/process.h"
#include "lib/ring.h"
#include "lib/text.h"

/* Completes the record and emits it. The free end of the arena is where its extension is put together. */
static inline void emit_with(struct gb_thread *self, uint64_t word[8], const struct gb_attr *attrs, uint32_t count)
{
    uint32_t ext_length = 0;
    uint8_t *ext = self->arena + self->arena_used;
    word[4] = self->roots & 0xffff;
    word[5] = word[6] = word[7] = 0;
    if (count) {
        uint32_t left = GBW_ARENA_BYTES - self->arena_used;
        struct draft draft = {.word = word, .ext = ext, .room = left < GBW_EXT_MAX ? left : GBW_EXT_MAX};
        attrs_write(&draft, attrs, count);
        ext_length = draft.length;
    }
    ring_emit(self, word, ext, ext_length);
}

/* `what`: kind and flags, as they stand in word 0. */
static __attribute__((noinline)) void emit_general(struct gb_name *name, uint64_t what, uint64_t value, bool bad,
                                                   const struct gb_attr *attrs, uint32_t count)
{
    uint64_t now = clock_ticks();
    struct gb_thread *self = emit_enter();
    if (unlikely(!self))
        return;
    uint32_t path;
    if (unlikely(bad)) {
        ring_attempt(self->producer);
        ring_drop(self, GBW_BAD_VALUE);
    } else if (likely((path = path_of(self, name)) != 0)) {
        uint64_t word[8] = {what | (uint64_t)path << 32, now, value, self->top->calls << 32};
        emit_with(self, word, attrs, count);
    }
    emit_leave(self);
}

static inline uint64_t what_of(uint32_t kind, uint32_t flags)
{
    return kind | (uint64_t)flags << 16;
}

/*
 * The usual case: a thread that has its ring, outside of any emit, a path that it has been on before, room, and no attributes or at
 * most three numbers. The record is written where it is published.
 */
static inline __attribute__((always_inline)) bool emit_usual(struct gb_name *name, uint64_t what, uint64_t value,
                                                             const struct gb_attr *attrs, uint32_t count)
{
    struct gb_thread *self = gb_mine.self;
    if (unlikely(!emit_enter_usual(self)))
        return false;

    const struct open_scope *top = self->top;
    uint64_t at, *word, head, keys = 0;
    if (unlikely(!path_found(self, top->head, name, &head)))
        goto general;
    head ^= GBW_TIMING ^ what;
    at = self->tail;
    if (unlikely(at == self->limit))
        goto general;
    word = self->slots[at & self->mask].word;
    if (count && unlikely(!attrs_plain(word, &head, &keys, attrs, count)))
        goto general;
    word[0] = head;
    word[2] = value;
    word[3] = top->calls << 32;
    word[4] = keys | (self->roots & 0xffff);
    word[1] = clock_counter();
    struct gbw_producer *producer = self->producer;
    ring_attempt(producer);
    ring_publish(self, producer, at + 1);
    emit_leave_usual(self);
    return true;

general:
    emit_leave_usual(self);
    return false;
}

static __attribute__((noinline)) void emit_plain_general(struct gb_name *name, uint64_t what, uint64_t value)
{
    emit_general(name, what, value, false, NULL, 0);
}

static __attribute__((noinline)) void emit_attrs(struct gb_name *name, uint64_t what, uint64_t value,
                                                 const struct gb_attr *attrs, uint32_t count)
{
    if (!attrs_are_plain(attrs, count) || !emit_usual(name, what, value, attrs, count))
        emit_general(name, what, value, false, attrs, count);
}

/* Without attributes no register has to be saved. */
static inline __attribute__((always_inline)) void emit_metric(struct gb_name *name, uint64_t what, uint64_t value,
                                                              const struct gb_attr *attrs, uint32_t count)
{
    if (count)
        emit_attrs(name, what, value, attrs, count);
    else if (unlikely(!emit_usual(name, what, value, NULL, 0)))
        emit_plain_general(name, what, value);
}

static __attribute__((noinline)) void refuse_value(struct gb_name *name)
{
    emit_general(name, GBW_COUNTER, 0, true, NULL, 0);
}

void gb_metric_int_(struct gb_name *name, uint32_t kind, int64_t value, const struct gb_attr *attrs, uint32_t count)
{
    if (unlikely(value < 0) && kind == GBW_COUNTER)
        refuse_value(name);
    else
        emit_metric(name, what_of(kind, GBW_INT), (uint64_t)value, attrs, count);
}

void gb_metric_uint_(struct gb_name *name, uint32_t kind, uint64_t value, const struct gb_attr *attrs, uint32_t count)
{
    emit_metric(name, what_of(kind, GBW_UINT), value, attrs, count);
}

void gb_metric_double_(struct gb_name *name, uint32_t kind, double value, const struct gb_attr *attrs, uint32_t count)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    /* the comparison is false for NaN as well */
    if (kind == GBW_COUNTER && unlikely(!(value >= 0 && value <= __DBL_MAX__)))
        refuse_value(name);
    else
        emit_metric(name, what_of(kind, GBW_DOUBLE), bits, attrs, count);
}

/* A name made at run time is const for the user only: its id is filled in at the first use. */
static inline struct gb_name *writable(const struct gb_name *name)
{
    return (struct gb_name *)(uintptr_t)name;
}

void gb_count(const struct gb_name *name, int64_t value, const struct gb_attr *attrs, uint32_t count)
{
    if (name && gb_enabled())
        gb_metric_int_(writable(name), GBW_COUNTER, value, attrs, count);
}

void gb_gauge(const struct gb_name *name, double value, const struct gb_attr *attrs, uint32_t count)
{
    if (name && gb_enabled())
        gb_metric_double_(writable(name), GBW_GAUGE, value, attrs, count);
}

void gb_metric(const struct gb_name *name, double value, const struct gb_attr *attrs, uint32_t count)
{
    if (name && gb_enabled())
        gb_metric_double_(writable(name), GBW_SAMPLE, value, attrs, count);
}

void gb_timing(const struct gb_name *name, uint64_t start_ns, uint64_t end_ns, const struct gb_attr *attrs,
               uint32_t count)
{
    if (!name || !gb_enabled())
        return;
    struct gb_thread *self = emit_enter();
    if (!self)
        return;
    uint32_t path;
    if (end_ns < start_ns) {
        ring_attempt(self->producer);
        ring_drop(self, GBW_BAD_VALUE);
    } else if ((path = path_of(self, writable(name))) != 0) {
        path_root(self, self->top);
        uint64_t word[8] = {GBW_TIMING | (uint64_t)GBW_F_NANOSECONDS << 16 | (uint64_t)path << 32, start_ns,
                            end_ns - start_ns, path_count(self, self->top, path)};
        emit_with(self, word, attrs, count);
    }
    emit_leave(self);
}

void gb_preview_(struct gb_name *name, const void *data, uint64_t length)
{
    static struct gb_key key = {"preview", 0};
    if (!gb_process.raw_preview || (!data && length))
        return;
    char text[GBW_STRING_MAX + 1];
    text[text_clean(text, GBW_STRING_MAX, data, length)] = '\0';
    struct gb_attr attr = {.key = &key, .as.text = text, .type = GB_ATTR_TEXT_};
    emit_general(name, what_of(GBW_SAMPLE, GBW_UINT | GBW_F_PREVIEW), length, false, &attr, 1);
}
