/* SPDX-License-Identifier: MIT */
/*
 * See emit.h. `begun` is raised right before the library is called and `returned` right after: a kill leaves them one apart at the most. The begin
 * of a scope is an attempt only when it is refused, so it is counted and, when it was taken, the count is withdrawn: the attempt is its end.
 */
#include "tests/torture/emit.h"

#include <setjmp.h>
#include <string.h>

#include <gb/telemetry.h>

static uint64_t begin(const struct out *out)
{
    uint64_t i = out->stream->begun;
    __atomic_store_n(&out->stream->begun, i + 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return i;
}

static void end(const struct out *out)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&out->stream->returned, out->stream->begun, __ATOMIC_RELAXED);
}

static void withdraw(const struct out *out)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&out->stream->begun, out->stream->begun - 1, __ATOMIC_RELAXED);
}

/* The three attributes of every event. */
#define TAGS(shape) GB_KV("s", out->id), GB_KV("i", i), GB_KV("c", book_check(out->id, i, shape))
#define BEGIN_SCOPE(name, anchor, ...)                                                                                 \
    (gb_enabled() ? gb_scope_begin_(GB_SITE_(name), GB_LIST_(name, ##__VA_ARGS__), anchor) : (struct gb_scope){0})

static void emit_text(const struct out *out)
{
    char text[3][256];
    uint64_t i = begin(out);
    for (uint32_t t = 0; t < 3; t++) {
        uint32_t length = book_text_length(i, t);
        memset(text[t], book_text_byte(i, t), length);
        text[t][length] = '\0';
    }
    GB_COUNT("text", 1, TAGS(SHAPE_TEXT), GB_KV("t0", text[0]), GB_KV("t1", text[1]), GB_KV("t2", text[2]));
    end(out);
}

static void emit_huge(const struct out *out)
{
    static char text[8193];
    if (!text[0])
        memset(text, 'x', sizeof(text) - 1);
    uint64_t i = begin(out);
    GB_GAUGE("huge", 1, TAGS(SHAPE_HUGE), GB_KV("a", text), GB_KV("b", text), GB_KV("d", text), GB_KV("e", text),
             GB_KV("f", text), GB_KV("g", text), GB_KV("h", text), GB_KV("j", text), GB_KV("k", text), GB_KV("l", text),
             GB_KV("m", text), GB_KV("n", text), GB_KV("o", text));
    end(out);
}

static void end_scope(const struct out *out, struct gb_scope scope)
{
    if (!scope.token)
        return;
    uint64_t i = begin(out);
    GB_ATTR("s", out->id);
    GB_ATTR("i", i);
    GB_ATTR("c", book_check(out->id, i, SHAPE_SCOPE));
    gb_scope_end_(scope);
    end(out);
}

/* An anchor for each, as the macros have. */
void emit_inside(struct out *out, void (*inside)(void *context), void *context)
{
    struct gb_scope anchor;
    begin(out);
    struct gb_scope scope = BEGIN_SCOPE("scope", &anchor);
    if (scope.token)
        withdraw(out);
    else
        end(out);
    inside(context);
    end_scope(out, scope);
}

struct nest {
    struct out *out;
    uint32_t depth;
};

static void emit_nest(void *context)
{
    struct nest *nest = context;
    if (nest->depth-- > 0)
        emit_inside(nest->out, emit_nest, nest);
    else
        emit_shape(nest->out, SHAPE_COUNT, 1);
}

static __attribute__((noinline)) void leave_open(const struct out *out, jmp_buf *back)
{
    struct gb_scope anchor;
    uint64_t i = begin(out);
    struct gb_scope scope = BEGIN_SCOPE("left", &anchor, TAGS(SHAPE_ABANDONED));
    if (!scope.token) {
        end(out);
        return;
    }
    withdraw(out);
    longjmp(*back, 1);
}

/* The begin of the next scope finds, and tells, what the longjmp has left. */
static __attribute__((noinline)) void emit_abandoned(struct out *out)
{
    struct gb_scope anchor;
    jmp_buf back;
    if (!setjmp(back)) {
        leave_open(out, &back);
        return;
    }
    begin(out);
    struct gb_scope scope = BEGIN_SCOPE("finds", &anchor);
    end(out);
    end_scope(out, scope);
}

static void emit_named(const struct out *out, enum shape shape, uint32_t spread)
{
    const struct gb_name *name = gb_name("named.%u", (uint32_t)(out->stream->begun % spread));
    if (!name)
        return;
    uint64_t i = begin(out);
    struct gb_attr attrs[] = {TAGS(shape)};
    if (shape == SHAPE_NAME) {
        gb_count(name, (int64_t)(i & 0xffff), attrs, 3);
    } else if (shape == SHAPE_TIMING) {
        gb_timing(name, 1000, 1000 + i % 1000000, attrs, 3);
    } else {
        struct gb_span span = gb_begin(name, attrs, 3);
        gb_end(&span);
    }
    end(out);
}

static void emit_plain(const struct out *out, enum shape shape)
{
    uint64_t i = begin(out);
    if (shape == SHAPE_COUNT)
        GB_COUNT("count", i & 0xffff, TAGS(SHAPE_COUNT));
    else if (shape == SHAPE_GAUGE)
        GB_GAUGE("gauge", (double)i * 0.5, TAGS(SHAPE_GAUGE));
    else if (shape == SHAPE_SAMPLE)
        GB_METRIC("sample", (double)(i % 1000), TAGS(SHAPE_SAMPLE));
    else
        GB_COUNT("bad_value", -1, TAGS(SHAPE_BAD_VALUE));
    end(out);
}

void emit_shape(struct out *out, enum shape shape, uint32_t spread)
{
    switch (shape) {
    case SHAPE_SCOPE:
        emit_nest(&(struct nest){out, spread});
        break;
    case SHAPE_TEXT:
        emit_text(out);
        break;
    case SHAPE_HUGE:
        emit_huge(out);
        break;
    case SHAPE_NAME:
    case SHAPE_SPAN:
    case SHAPE_TIMING:
        emit_named(out, shape, spread);
        break;
    case SHAPE_ABANDONED:
        emit_abandoned(out);
        break;
    default:
        emit_plain(out, shape);
    }
}
