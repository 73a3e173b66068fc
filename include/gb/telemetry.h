/* SPDX-License-Identifier: MIT */
/*
 * gb-telemetry: what a worker may call. C11 with GNU extensions (gcc, clang), or C++11.
 *
 *     GB_SCOPE("load", GB_KV("file", path)) { ... }     a timing: from here until the block is left, however it is left
 *     GB_COUNT("rows", n);                              metrics, inside whatever scopes are open
 *     GB_GAUGE("ratio", 0.92);
 *
 * Nothing has to be set up. The environment decides (GEMINI_BATCH_TELEMETRY=1), at the first use; without it every macro is one
 * predicted branch and evaluates none of its values or attributes. -DGB_TELEMETRY_OFF compiles all of it to nothing.
 *
 * Unless a comment says otherwise everything here may be called from any thread and from signal handlers, never
 * blocks, allocates, aborts or changes errno, and reports no error to the caller: what could not be recorded is counted by cause
 * (gb_stats). An emit inside a signal handler that interrupted an emit of the same thread is refused and counted.
 *
 * Names and keys in macros are string literals, at most 255 bytes. A name may hold dots. Up to 16 attributes an event;
 * texts are copied at once, and cut after 120 bytes, never inside a character.
 * Identifiers that end in an underscore are for the macros alone; what these are made of stands in telemetry_macros.h.
 */
#ifndef GB_TELEMETRY_H
#define GB_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* functions named like their struct */
#endif

/* A name or a key and the number it was given: static in its place in the source, or made by gb_name. */
struct gb_name {
    const char *text;
    uint32_t id;
};

struct gb_key {
    const char *text;
    uint32_t id;
};

/* One key=value; made by GB_KV. */
struct gb_attr {
    struct gb_key *key;
    union {
        int64_t i;
        uint64_t u;
        double d;
        const char *text;
    } as;
    uint32_t type; /* enum gb_attr_type_ */
};

enum gb_attr_type_ { GB_ATTR_INT_, GB_ATTR_UINT_, GB_ATTR_DOUBLE_, GB_ATTR_BOOL_, GB_ATTR_TEXT_ };

/* An open scope of the macros. token 0: none. */
struct gb_scope {
    uint64_t token;
};

/* A detached span. All zeros: none. May be moved, and ended on any thread of the process that began it; of copies, end only one. */
struct gb_span {
    uint64_t record_[8];
    uint64_t token_;
    uint32_t generation_, block_, length_, reserved_;
};

/* The scopes that were open on a thread. All zeros: none. */
struct gb_context {
    uint64_t token_;
    uint32_t generation_, reserved_;
    void *block_;
};

enum gb_choice { GB_FROM_ENVIRONMENT = 0, GB_YES = 1, GB_NO = 2 };

/* For gb_init. Start from GB_CONFIG_INIT; what is left zero is taken from the environment, then from the default. */
struct gb_config {
    uint32_t size; /* sizeof(struct gb_config) */
    enum gb_choice enabled;
    enum gb_choice strict_scopes;
    enum gb_choice raw_preview;
    const char *directory; /* of the segments */
    const char *service;
    const char *clock;    /* "auto", "tsc", "monotonic" */
    const char *secrets;  /* further words of keys whose values are secret, separated by commas */
    uint64_t ring_bytes;  /* per thread: a power of two, 16 KiB to 1 GiB */
    uint64_t max_bytes;   /* all rings together */
    uint32_t rings_ahead; /* rings to allocate now, for programs that sandbox themselves later */
};
#ifndef __cplusplus
#define GB_CONFIG_INIT                                                                                                 \
    {                                                                                                                  \
        .size = sizeof(struct gb_config)                                                                               \
    }
#else
__attribute__((always_inline)) static inline struct gb_config gb_config_init_()
{
    struct gb_config config = gb_config();
    config.size = sizeof(struct gb_config);
    return config;
}
#define GB_CONFIG_INIT gb_config_init_()
#endif

/* What was emitted by this process so far. attempted = delivered to the rings + folded + the sum of dropped. */
enum gb_cause {
    GB_RING_FULL, /* the collector was behind, or there is none, and the event could not be folded */
    GB_BUSY,      /* a first use (of a name, say) did not get its lock in time */
    GB_BAD_VALUE, /* a counter that is negative or not finite */
    GB_BAD_NAME,  /* empty, too long, or refused by strict scopes */
    GB_TOO_DEEP,  /* more than 512 scopes open on a thread */
    GB_REENTRANT, /* in a signal handler that interrupted an emit */
    GB_NO_RING,   /* the thread could get no ring */
    GB_LATE,      /* at the very end of a thread, after its ring had gone back */
    GB_CAUSES_
};
struct gb_stats {
    uint64_t attempted;
    uint64_t dropped[GB_CAUSES_];
    uint64_t attributes_left_out; /* did not fit, or their key did not; the events themselves went out */
    uint64_t names_overflowed;    /* names beyond the budget: their events went out as "(overflow)" */
    uint32_t rings;               /* allocated */
    uint32_t enabled;             /* 1: telemetry is on */
    uint64_t folded;              /* found their ring full: in the totals of their path, gone as events */
};

#ifndef GB_TELEMETRY_OFF

/* Is telemetry on? Cost: one load and a branch; the first call of a process decides, and may take a millisecond. */
static inline bool gb_enabled(void);

/*
 * Configures in code, before the first use; optional. What is set here wins over the environment. It makes the segment (and
 * `rings_ahead` rings) at once. 0; -EALREADY: telemetry was in use before; -EINVAL: a value is out of range (said on stderr, the
 * default is used); another error: no segment could be had (said on stderr), telemetry is off. Not for signal handlers.
 */
int gb_init(const struct gb_config *config);

/*
 * Waits until the collector has taken (and its durable reporters have committed) all that this process had published
 * when it was called. 0; -ETIMEDOUT; -ENOTCONN: no collector runs; -ENOTSUP: telemetry is off, or this is a flight recorder
 * (GEMINI_BATCH_TELEMETRY_OVERFLOW=overwrite), out of which no collector takes anything. Negative timeout: for ever; but
 * a program that cannot reach the directory any more (chroot, setuid) cannot tell whether one runs, and waits at most 10 s.
 * May sleep; not for signal handlers.
 */
int gb_flush(int timeout_ms);

/* The counts of this process since its start (since the fork, in a child). Cost: some loads for each ring. */
void gb_stats(struct gb_stats *ret_stats);

/* Turns telemetry off for the rest of the process: what was published is still delivered. At exit() it happens by itself. */
void gb_shutdown(void);

/*
 * A name made at run time. The same text gives the same name, valid for the life of the process; beyond the budget of names it is
 * the one of "(overflow)". NULL, which every function takes, doing nothing: telemetry is off, or the name is empty or too long.
 * A slow path (a lock for a bounded time): keep the result. Formats with vsnprintf, so not for signal handlers.
 */
const struct gb_name *gb_name(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Detached spans. They take the path of the scope that is open where they begin, never become the current scope, and
 * may end on another thread. `attrs` may be NULL. Ending twice, ending a zero span, or one that was begun before a fork does nothing.
 * Cost: as a scope. One that never ends is never told.
 */
struct gb_span gb_begin(const struct gb_name *name, const struct gb_attr *attrs, uint32_t count);
void gb_end(struct gb_span *span);

/* A duration that was measured elsewhere: CLOCK_MONOTONIC nanoseconds, end_ns >= start_ns (else counted as bad_value). */
void gb_timing(const struct gb_name *name, uint64_t start_ns, uint64_t end_ns, const struct gb_attr *attrs,
               uint32_t count);

/* The three metrics with names made at run time. */
void gb_count(const struct gb_name *name, int64_t value, const struct gb_attr *attrs, uint32_t count);
void gb_gauge(const struct gb_name *name, double value, const struct gb_attr *attrs, uint32_t count);
void gb_metric(const struct gb_name *name, double value, const struct gb_attr *attrs, uint32_t count);

/*
 * For coroutines and fibres: takes the open scopes off this thread, and puts them on this or another one, on top of what is open there.
 * Around each switch: save before leaving, restore after coming back. Each saved context is restored once; a
 * restored one is zeroed. Scopes that are saved are not told when the process is killed. Cost: some 100 ns.
 */
struct gb_context gb_context_save(void);
void gb_context_restore(struct gb_context *context);

#endif

#ifdef __cplusplus
#pragma GCC diagnostic pop
} /* extern "C" */
#endif

#ifndef GB_TELEMETRY_OFF
#include "telemetry_macros.h"

/*
 * key = value for an event. The type of the value decides: any integer, float, double, bool, char * (a null pointer becomes
 * null); other pointers, long double and 128-bit integers do not compile. A bit-field needs a cast. In C `true` and comparisons are
 * int: GB_KV_BOOL says bool. The value of a key that names a secret (api_key, password, ...) is never written anywhere:
 * "[redacted]" stands in its place.
 */
#define GB_KV(key, value) GB_KV_1_(GB_KEY_(key), (value))
#define GB_KV_BOOL(key, value) GB_KV_1_(GB_KEY_(key), (bool)(value))

/*
 * GB_SCOPE("name", attributes...) statement: times the statement. It ends when it is left: at its end, by break or continue (which leave
 * just this block), return, goto, an exception. A jump into it is not allowed (clang refuses it, gcc is silent). A function
 * whose only return stands inside needs one after it for the compiler's peace of mind. longjmp runs no cleanup: the scopes that it
 * leaves are told as abandoned at the next begin or end on that stack, and take what is emitted until then. (In a function that
 * calls setjmp or vfork itself, gcc -Wextra may warn -Wclobbered of the scope's variable: nothing reads it after the jump.)
 * Cost: two clock reads and hardly more.
 */
#define GB_SCOPE(...) GB_SCOPE_1_(__COUNTER__, __VA_ARGS__)

/* The same as a declaration: until the enclosing block is left. */
#define GB_SCOPE_HERE(...) GB_SCOPE_HERE_1_(__COUNTER__, __VA_ARGS__)

/* Adds an attribute to the innermost open scope of this thread. The key "error" marks it failed. Without one: nothing. */
#define GB_ATTR(key, value) (gb_enabled() ? gb_attr_(GB_KV(key, value)) : (void)0)

/* GB_COUNT("name", value, attributes...): adds to a total; negative and non-finite values are refused (bad_value).
 * GB_GAUGE: a level. GB_METRIC: a sample, neither of the two. Any integer or floating type. Cost: a clock read and hardly more. */
#define GB_COUNT(...) GB_METRIC_ARGS_(2, __VA_ARGS__)
#define GB_GAUGE(...) GB_METRIC_ARGS_(3, __VA_ARGS__)
#define GB_METRIC(...) GB_METRIC_ARGS_(4, __VA_ARGS__)

/* struct gb_span span = GB_BEGIN("name", attributes...): gb_begin with a name in its place. */
#define GB_BEGIN(...) GB_BEGIN_1_(__VA_ARGS__)

/* GB_PREVIEW("name", data, length): a sample whose value is `length` and whose attribute `preview` is the beginning of the text,
 * cut and with control characters replaced. Only with GEMINI_BATCH_TELEMETRY_RAW_PREVIEW=1, else nothing. */
#define GB_PREVIEW(name, data, length)                                                                                 \
    (gb_enabled() ? gb_preview_(GB_SITE_(name), (data), (uint64_t)(length)) : (void)0)

#else
#include "telemetry_off.h"
#endif

#endif
