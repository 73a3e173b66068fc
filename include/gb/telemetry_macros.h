/* SPDX-License-Identifier: MIT */
/*
 * What the macros of telemetry.h are made of, and gb_enabled. A part of telemetry.h, for it alone to include: nothing here is an
 * interface of its own.
 */
#ifndef GB_TELEMETRY_MACROS_H
#define GB_TELEMETRY_MACROS_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * On or off: a page of its own, wiped in the child of a fork, so that the child's first call takes the slow path. Written by the
 * library only.
 */
enum gb_switch_state_ { GB_UNDECIDED_ = 0, GB_OFF_ = 1, GB_ON_STATE_ = 2 };
struct gb_switch {
    uint32_t state;
    uint32_t reserved[1023];
} __attribute__((aligned(4096)));
extern struct gb_switch gb_switch_;

bool gb_decide_(void);
/* One without attributes; one with them, which says token 0 when it was refused. */
void gb_scope_begin_plain_(struct gb_name *name, void *anchor);
struct gb_scope gb_scope_begin_(struct gb_name *name, const struct gb_attr *attrs, uint32_t count, void *anchor);
/* Does nothing for a scope that is not open. */
void gb_scope_end_(struct gb_scope scope);
void gb_attr_(struct gb_attr attr);
void gb_metric_int_(struct gb_name *name, uint32_t kind, int64_t value, const struct gb_attr *attrs, uint32_t count);
void gb_metric_uint_(struct gb_name *name, uint32_t kind, uint64_t value, const struct gb_attr *attrs, uint32_t count);
void gb_metric_double_(struct gb_name *name, uint32_t kind, double value, const struct gb_attr *attrs, uint32_t count);
void gb_preview_(struct gb_name *name, const void *data, uint64_t length);

static inline bool gb_enabled(void)
{
    uint32_t state = __atomic_load_n(&gb_switch_.state, __ATOMIC_ACQUIRE);
    return __builtin_expect(state != GB_OFF_, 0) && (state > GB_OFF_ || gb_decide_());
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#define GB_CAT_(a, b) GB_CAT_1_(a, b)
#define GB_CAT_1_(a, b) a##b
#define GB_FIRST_(...) GB_FIRST_1_(__VA_ARGS__, ~)
#define GB_FIRST_1_(first, ...) first
/* number of attributes after the name: 0 to 39, so that one too many can be told */
#define GB_N_(...)                                                                                                     \
    GB_N_1_(__VA_ARGS__, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,   \
            16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, ~)
#define GB_N_1_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22,   \
                a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38, a39, a40, n, ...)      \
    n
/* none or some: which of two ways to give the attributes */
#define GB_SOME_(...)                                                                                                  \
    GB_N_1_(__VA_ARGS__, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_,    \
            SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_,   \
            SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, SOME_, NONE_, ~)
#define GB_TOO_MANY_ "gb-telemetry: at most 16 attributes"
/* a metric: its value is the second argument, its attributes come after it */
#define GB_METRIC_ARGS_(kind, ...) GB_CAT_(GB_METRIC_, GB_SOME_2_(__VA_ARGS__))(kind, __VA_ARGS__)
#define GB_METRIC_NONE_(kind, name, value) GB_METRIC_1_(kind, (value), name)
#define GB_METRIC_SOME_(kind, name, value, ...) GB_METRIC_1_(kind, (value), name, __VA_ARGS__)
#define GB_SOME_2_(name, ...) GB_SOME_(__VA_ARGS__)
#define GB_SCOPE_HERE_1_(id, ...) GB_OPEN_(id, __VA_ARGS__)

#ifdef __cplusplus
#include "telemetry_cxx.h"
#else /* C */

#define GB_SITE_(...)                                                                                                  \
    __extension__({                                                                                                    \
        _Static_assert(GB_N_(__VA_ARGS__) <= 16, GB_TOO_MANY_);                                                        \
        static struct gb_name gb_site_ = {"" GB_FIRST_(__VA_ARGS__) "", 0};                                            \
        &gb_site_;                                                                                                     \
    })
#define GB_KEY_(key)                                                                                                   \
    __extension__({                                                                                                    \
        static struct gb_key gb_key_ = {"" key "", 0};                                                                 \
        &gb_key_;                                                                                                      \
    })
#define GB_LIST_NONE_(name) ((const struct gb_attr *)0), 0
#define GB_LIST_SOME_(name, ...) ((const struct gb_attr[]){__VA_ARGS__}), GB_N_(name, __VA_ARGS__)
#define GB_LIST_(...) GB_CAT_(GB_LIST_, GB_SOME_(__VA_ARGS__))(__VA_ARGS__)

static inline struct gb_attr gb_kv_int_(struct gb_key *key, int64_t value)
{
    return (struct gb_attr){key, {.i = value}, GB_ATTR_INT_};
}
static inline struct gb_attr gb_kv_uint_(struct gb_key *key, uint64_t value)
{
    return (struct gb_attr){key, {.u = value}, GB_ATTR_UINT_};
}
static inline struct gb_attr gb_kv_double_(struct gb_key *key, double value)
{
    return (struct gb_attr){key, {.d = value}, GB_ATTR_DOUBLE_};
}
static inline struct gb_attr gb_kv_bool_(struct gb_key *key, bool value)
{
    return (struct gb_attr){key, {.u = value}, GB_ATTR_BOOL_};
}
static inline struct gb_attr gb_kv_text_(struct gb_key *key, const char *value)
{
    return (struct gb_attr){key, {.text = value}, GB_ATTR_TEXT_};
}
#define GB_INTEGERS_(value, of_int, of_uint)                                                                           \
    char : of_int,                                                                                                     \
           signed char : of_int,                                                                                       \
                         short : of_int,                                                                               \
                                 int : of_int,                                                                         \
                                       long : of_int,                                                                  \
                                              long long : of_int,                                                      \
                                                          unsigned char : of_uint,                                     \
                                                                          unsigned short : of_uint,                    \
                                                                                           unsigned int                \
        : of_uint,                                                                                                     \
          unsigned long : of_uint,                                                                                     \
                          unsigned long long : of_uint
#define GB_KV_1_(key, value)                                                                                           \
    _Generic((value), GB_INTEGERS_(value, gb_kv_int_, gb_kv_uint_), _Bool                                              \
             : gb_kv_bool_, float                                                                                      \
             : gb_kv_double_, double                                                                                   \
             : gb_kv_double_, char *                                                                                   \
             : gb_kv_text_, const char *                                                                               \
             : gb_kv_text_)(key, value)
#define GB_METRIC_1_(kind, value, ...)                                                                                 \
    (gb_enabled() ? _Generic((value), GB_INTEGERS_(value, gb_metric_int_, gb_metric_uint_), _Bool                      \
                             : gb_metric_uint_, float                                                                  \
                             : gb_metric_double_, double                                                               \
                             : gb_metric_double_)(GB_SITE_(__VA_ARGS__), kind, value, GB_LIST_(__VA_ARGS__))           \
                  : (void)0)

static inline void gb_scope_leave_(const struct gb_scope *scope)
{
    if (scope->token)
        gb_scope_end_(*scope);
}
static inline struct gb_scope gb_scope_at_(void *anchor)
{
    return (struct gb_scope){(uint64_t)(uintptr_t)anchor};
}
/* Its token is known before the call, so that the compiler sees that there is one. */
#define GB_BEGUN_NONE_(anchor, name) (gb_scope_begin_plain_(GB_SITE_(name), anchor), gb_scope_at_(anchor))
#define GB_BEGUN_SOME_(anchor, ...)                                                                                    \
    ((void)gb_scope_begin_(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__), anchor), gb_scope_at_(anchor))
#define GB_BEGUN_(anchor, ...) GB_CAT_(GB_BEGUN_, GB_SOME_(__VA_ARGS__))(anchor, __VA_ARGS__)
/* `anchor` is never written or read: its address tells where the scope stands on the stack. It is apart from the scope, so
 * that the scope itself can stay in a register. */
#define GB_OPEN_(id, ...)                                                                                              \
    struct gb_scope GB_CAT_(gb_anchor_, id),                                                                           \
        GB_CAT_(gb_scope_, id) __attribute__((cleanup(gb_scope_leave_), unused)) =                                     \
            gb_enabled() ? GB_BEGUN_(&GB_CAT_(gb_anchor_, id), __VA_ARGS__) : (struct gb_scope)                        \
    {                                                                                                                  \
        0                                                                                                              \
    }
#define GB_SCOPE_1_(id, ...)                                                                                           \
    for (GB_OPEN_(id, __VA_ARGS__), GB_CAT_(gb_pass_, id) = {0}; !GB_CAT_(gb_pass_, id).token;                         \
         GB_CAT_(gb_pass_, id).token = 1)
#define GB_BEGIN_1_(...) (gb_enabled() ? gb_begin(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__)) : (struct gb_span){0})

#endif /* C */

#endif
