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
 * Identifiers that end in an underscore are for the macros alone.
 */
#ifndef GB_TELEMETRY_H
#define GB_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
#include <initializer_list>
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
struct gb_scope gb_scope_begin_(struct gb_name *name, const struct gb_attr *attrs, uint32_t count, void *anchor);
void gb_scope_end_(struct gb_scope scope);
void gb_attr_(struct gb_attr attr);
void gb_metric_int_(struct gb_name *name, uint32_t kind, int64_t value, const struct gb_attr *attrs, uint32_t count);
void gb_metric_uint_(struct gb_name *name, uint32_t kind, uint64_t value, const struct gb_attr *attrs, uint32_t count);
void gb_metric_double_(struct gb_name *name, uint32_t kind, double value, const struct gb_attr *attrs, uint32_t count);
void gb_preview_(struct gb_name *name, const void *data, uint64_t length);

/* Is telemetry on? Cost: one load and a branch; the first call of a process decides, and may take a millisecond. */
static inline bool gb_enabled(void)
{
    uint32_t state = __atomic_load_n(&gb_switch_.state, __ATOMIC_ACQUIRE);
    return __builtin_expect(state != GB_OFF_, 0) && (state == GB_ON_STATE_ || gb_decide_());
}

/*
 * Configures in code, before the first use; optional. What is set here wins over the environment. It makes the segment (and
 * `rings_ahead` rings) at once. 0; -EALREADY: telemetry was in use before; -EINVAL: a value is out of range (said on stderr, the
 * default is used); another error: no segment could be had (said on stderr), telemetry is off. Not for signal handlers.
 */
int gb_init(const struct gb_config *config);

/*
 * Waits until the collector has taken (and its durable reporters have committed) all that this process had published
 * when it was called. 0; -ETIMEDOUT; -ENOTCONN: no collector runs; -ENOTSUP: telemetry is off. Negative timeout: for ever; but
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

#ifdef __cplusplus
#pragma GCC diagnostic pop
} /* extern "C" */
#endif

/* ---- what the macros are made of ---- */

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

#ifndef __cplusplus

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
/* `anchor` is never written or read: its address tells where the scope stands on the stack. It is apart from the scope, so
 * that the scope itself can stay in a register. */
#define GB_OPEN_(id, ...)                                                                                              \
    struct gb_scope GB_CAT_(gb_anchor_, id),                                                                           \
        GB_CAT_(gb_scope_, id) __attribute__((cleanup(gb_scope_leave_), unused)) =                                     \
            gb_enabled() ? gb_scope_begin_(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__), &GB_CAT_(gb_anchor_, id))     \
                         : (struct gb_scope)                                                                           \
    {                                                                                                                  \
        0                                                                                                              \
    }
#define GB_SCOPE_1_(id, ...)                                                                                           \
    for (GB_OPEN_(id, __VA_ARGS__), GB_CAT_(gb_pass_, id) = {0}; !GB_CAT_(gb_pass_, id).token;                         \
         GB_CAT_(gb_pass_, id).token = 1)

#else /* C++ */

#define GB_SITE_(...)                                                                                                  \
    ([]() -> struct gb_name * {                                                                                        \
        static_assert(GB_N_(__VA_ARGS__) <= 16, GB_TOO_MANY_);                                                         \
        static struct gb_name gb_site_ = {"" GB_FIRST_(__VA_ARGS__) "", 0};                                            \
        return &gb_site_;                                                                                              \
    }())
#define GB_KEY_(key)                                                                                                   \
    ([]() -> struct gb_key * {                                                                                         \
        static struct gb_key gb_key_ = {"" key "", 0};                                                                 \
        return &gb_key_;                                                                                               \
    }())
#define GB_LIST_NONE_(name)                                                                                            \
    {                                                                                                                  \
    }
#define GB_LIST_SOME_(name, ...)                                                                                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define GB_LIST_(...) GB_CAT_(GB_LIST_, GB_SOME_(__VA_ARGS__))(__VA_ARGS__)

inline struct gb_attr gb_kv_make_(struct gb_key *key, uint32_t type)
{
    struct gb_attr attr = {key, {0}, type};
    return attr;
}
#define GB_KV_OVERLOAD_(cpp_type, field, field_type, type)                                                             \
    inline struct gb_attr gb_kv_(struct gb_key *key, cpp_type value)                                                   \
    {                                                                                                                  \
        struct gb_attr attr = gb_kv_make_(key, type);                                                                  \
        attr.as.field = static_cast<field_type>(value);                                                                \
        return attr;                                                                                                   \
    }
GB_KV_OVERLOAD_(bool, u, uint64_t, GB_ATTR_BOOL_)
GB_KV_OVERLOAD_(char, i, int64_t, GB_ATTR_INT_)
GB_KV_OVERLOAD_(signed char, i, int64_t, GB_ATTR_INT_)
GB_KV_OVERLOAD_(short, i, int64_t, GB_ATTR_INT_)
GB_KV_OVERLOAD_(int, i, int64_t, GB_ATTR_INT_)
GB_KV_OVERLOAD_(long, i, int64_t, GB_ATTR_INT_)
GB_KV_OVERLOAD_(long long, i, int64_t, GB_ATTR_INT_)
GB_KV_OVERLOAD_(unsigned char, u, uint64_t, GB_ATTR_UINT_)
GB_KV_OVERLOAD_(unsigned short, u, uint64_t, GB_ATTR_UINT_)
GB_KV_OVERLOAD_(unsigned int, u, uint64_t, GB_ATTR_UINT_)
GB_KV_OVERLOAD_(unsigned long, u, uint64_t, GB_ATTR_UINT_)
GB_KV_OVERLOAD_(unsigned long long, u, uint64_t, GB_ATTR_UINT_)
GB_KV_OVERLOAD_(float, d, double, GB_ATTR_DOUBLE_)
GB_KV_OVERLOAD_(double, d, double, GB_ATTR_DOUBLE_)
GB_KV_OVERLOAD_(char *, text, const char *, GB_ATTR_TEXT_)
GB_KV_OVERLOAD_(const char *, text, const char *, GB_ATTR_TEXT_)
struct gb_attr gb_kv_(struct gb_key *, long double) = delete;
template <class T> struct gb_attr gb_kv_(struct gb_key *, T *) = delete;
#define GB_KV_1_(key, value) gb_kv_(key, value)

typedef std::initializer_list<struct gb_attr> gb_list_;
#define GB_METRIC_OVERLOAD_(cpp_type, kind_of, field_type)                                                             \
    inline void gb_metric_(struct gb_name *name, uint32_t kind, cpp_type value, gb_list_ attrs)                        \
    {                                                                                                                  \
        kind_of(name, kind, static_cast<field_type>(value), attrs.begin(), static_cast<uint32_t>(attrs.size()));       \
    }
GB_METRIC_OVERLOAD_(bool, gb_metric_uint_, uint64_t)
GB_METRIC_OVERLOAD_(char, gb_metric_int_, int64_t)
GB_METRIC_OVERLOAD_(signed char, gb_metric_int_, int64_t)
GB_METRIC_OVERLOAD_(short, gb_metric_int_, int64_t)
GB_METRIC_OVERLOAD_(int, gb_metric_int_, int64_t)
GB_METRIC_OVERLOAD_(long, gb_metric_int_, int64_t)
GB_METRIC_OVERLOAD_(long long, gb_metric_int_, int64_t)
GB_METRIC_OVERLOAD_(unsigned char, gb_metric_uint_, uint64_t)
GB_METRIC_OVERLOAD_(unsigned short, gb_metric_uint_, uint64_t)
GB_METRIC_OVERLOAD_(unsigned int, gb_metric_uint_, uint64_t)
GB_METRIC_OVERLOAD_(unsigned long, gb_metric_uint_, uint64_t)
GB_METRIC_OVERLOAD_(unsigned long long, gb_metric_uint_, uint64_t)
GB_METRIC_OVERLOAD_(float, gb_metric_double_, double)
GB_METRIC_OVERLOAD_(double, gb_metric_double_, double)
void gb_metric_(struct gb_name *, uint32_t, long double, gb_list_) = delete;
template <class T> void gb_metric_(struct gb_name *, uint32_t, T *, gb_list_) = delete;
#define GB_METRIC_1_(kind, value, ...)                                                                                 \
    (gb_enabled() ? gb_metric_(GB_SITE_(__VA_ARGS__), kind, value, GB_LIST_(__VA_ARGS__)) : (void)0)

inline struct gb_scope gb_open_(struct gb_name *name, gb_list_ attrs, void *anchor)
{
    return gb_scope_begin_(name, attrs.begin(), static_cast<uint32_t>(attrs.size()), anchor);
}
inline struct gb_span gb_open_span_(struct gb_name *name, gb_list_ attrs)
{
    return gb_begin(name, attrs.begin(), static_cast<uint32_t>(attrs.size()));
}
/* Ends its scope also when an exception passes. */
class gb_guard_
{
    struct gb_scope scope;
    bool passed;

  public:
    explicit gb_guard_(struct gb_scope opened) : scope(opened), passed(false)
    {
    }
    gb_guard_(const gb_guard_ &) = delete;
    gb_guard_ &operator=(const gb_guard_ &) = delete;
    ~gb_guard_()
    {
        if (scope.token)
            gb_scope_end_(scope);
    }
    bool pass()
    {
        bool first = !passed;
        passed = true;
        return first;
    }
};
#define GB_GUARD_(id, anchor, ...)                                                                                     \
    gb_guard_ GB_CAT_(gb_scope_,                                                                                       \
                      id)(gb_enabled() ? gb_open_(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__), anchor) : gb_scope())
#define GB_OPEN_(id, ...)                                                                                              \
    char GB_CAT_(gb_anchor_, id);                                                                                      \
    GB_GUARD_(id, &GB_CAT_(gb_anchor_, id), __VA_ARGS__)
#define GB_SCOPE_1_(id, ...)                                                                                           \
    for (char GB_CAT_(gb_anchor_, id), *GB_CAT_(gb_at_, id) = &GB_CAT_(gb_anchor_, id); GB_CAT_(gb_at_, id);           \
         GB_CAT_(gb_at_, id) = 0)                                                                                      \
        for (GB_GUARD_(id, GB_CAT_(gb_at_, id), __VA_ARGS__); GB_CAT_(gb_scope_, id).pass();)

#endif /* C++ */

/* ---- the macros ---- */

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
#define GB_SCOPE_HERE_1_(id, ...) GB_OPEN_(id, __VA_ARGS__)

/* Adds an attribute to the innermost open scope of this thread. The key "error" marks it failed. Without one: nothing. */
#define GB_ATTR(key, value) (gb_enabled() ? gb_attr_(GB_KV(key, value)) : (void)0)

/* GB_COUNT("name", value, attributes...): adds to a total; negative and non-finite values are refused (bad_value).
 * GB_GAUGE: a level. GB_METRIC: a sample, neither of the two. Any integer or floating type. Cost: a clock read and hardly more. */
#define GB_COUNT(...) GB_METRIC_ARGS_(2, __VA_ARGS__)
#define GB_GAUGE(...) GB_METRIC_ARGS_(3, __VA_ARGS__)
#define GB_METRIC(...) GB_METRIC_ARGS_(4, __VA_ARGS__)
#define GB_METRIC_ARGS_(kind, ...) GB_CAT_(GB_METRIC_, GB_SOME_2_(__VA_ARGS__))(kind, __VA_ARGS__)
#define GB_METRIC_NONE_(kind, name, value) GB_METRIC_1_(kind, (value), name)
#define GB_METRIC_SOME_(kind, name, value, ...) GB_METRIC_1_(kind, (value), name, __VA_ARGS__)
#define GB_SOME_2_(name, ...) GB_SOME_(__VA_ARGS__)

/* struct gb_span span = GB_BEGIN("name", attributes...): gb_begin with a name in its place. */
#ifndef __cplusplus
#define GB_BEGIN(...) (gb_enabled() ? gb_begin(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__)) : (struct gb_span){0})
#else
#define GB_BEGIN(...) (gb_enabled() ? gb_open_span_(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__)) : gb_span())
#endif

/* GB_PREVIEW("name", data, length): a sample whose value is `length` and whose attribute `preview` is the beginning of the text,
 * cut and with control characters replaced. Only with GEMINI_BATCH_TELEMETRY_RAW_PREVIEW=1, else nothing. */
#define GB_PREVIEW(name, data, length)                                                                                 \
    (gb_enabled() ? gb_preview_(GB_SITE_(name), (data), (uint64_t)(length)) : (void)0)

#else /* GB_TELEMETRY_OFF: nothing is evaluated, nothing is referred to */

#include <errno.h>

#define GB_OFF_INLINE_ __attribute__((always_inline)) static inline

GB_OFF_INLINE_ bool gb_enabled(void)
{
    return false;
}
GB_OFF_INLINE_ int gb_init(const struct gb_config *config)
{
    (void)config;
    return 0;
}
GB_OFF_INLINE_ int gb_flush(int timeout_ms)
{
    (void)timeout_ms;
    return -ENOTSUP;
}
GB_OFF_INLINE_ void gb_stats(struct gb_stats *ret_stats)
{
    __builtin_memset(ret_stats, 0, sizeof *ret_stats);
}
GB_OFF_INLINE_ void gb_shutdown(void)
{
}
#define gb_name(...) ((const struct gb_name *)0)
GB_OFF_INLINE_ struct gb_span gb_begin(const struct gb_name *name, const struct gb_attr *attrs, uint32_t count)
{
    struct gb_span none;
    (void)name, (void)attrs, (void)count;
    __builtin_memset(&none, 0, sizeof none);
    return none;
}
GB_OFF_INLINE_ void gb_end(struct gb_span *span)
{
    (void)span;
}
GB_OFF_INLINE_ void gb_timing(const struct gb_name *name, uint64_t start_ns, uint64_t end_ns,
                              const struct gb_attr *attrs, uint32_t count)
{
    (void)name, (void)start_ns, (void)end_ns, (void)attrs, (void)count;
}
GB_OFF_INLINE_ void gb_count(const struct gb_name *name, int64_t value, const struct gb_attr *attrs, uint32_t count)
{
    (void)name, (void)value, (void)attrs, (void)count;
}
GB_OFF_INLINE_ void gb_gauge(const struct gb_name *name, double value, const struct gb_attr *attrs, uint32_t count)
{
    (void)name, (void)value, (void)attrs, (void)count;
}
GB_OFF_INLINE_ void gb_metric(const struct gb_name *name, double value, const struct gb_attr *attrs, uint32_t count)
{
    (void)name, (void)value, (void)attrs, (void)count;
}
GB_OFF_INLINE_ struct gb_context gb_context_save(void)
{
    struct gb_context none;
    __builtin_memset(&none, 0, sizeof none);
    return none;
}
GB_OFF_INLINE_ void gb_context_restore(struct gb_context *context)
{
    (void)context;
}

/* Never defined, never called: what is used in a branch not taken is neither evaluated nor warned of as unused. */
int gb_unevaluated_(unsigned long, ...);

#ifdef __cplusplus
#pragma GCC diagnostic pop
} /* extern "C" */
GB_OFF_INLINE_ struct gb_attr gb_no_attr_()
{
    return gb_attr();
}
#define GB_KV(key, value) (GB_OFF_VALUE_(value), gb_no_attr_())
#define GB_OFF_ASSERT_(text) static_assert(sizeof(text) > 0, "")
#define GB_OFF_SPAN_ (gb_span())
#else
#define GB_KV(key, value)                                                                                              \
    (__extension__({                                                                                                   \
        GB_OFF_VALUE_(value);                                                                                          \
        (struct gb_attr){0};                                                                                           \
    }))
#define GB_OFF_ASSERT_(text) _Static_assert(sizeof(text) > 0, "")
#define GB_OFF_SPAN_ ((struct gb_span){0})
#endif
#define GB_OFF_FIRST_(...) GB_OFF_FIRST_1_(__VA_ARGS__, ~)
#define GB_OFF_FIRST_1_(first, ...) first
#define GB_OFF_CAT_(a, b) GB_OFF_CAT_1_(a, b)
#define GB_OFF_CAT_1_(a, b) a##b
#define GB_OFF_USE_(...) (0 ? (void)gb_unevaluated_(sizeof __VA_ARGS__) : (void)0)
#define GB_OFF_VALUE_(value) (0 ? (void)(value) : (void)0)

#define GB_KV_BOOL(key, value) GB_KV(key, value)
#define GB_SCOPE(...) GB_OFF_SCOPE_(__COUNTER__, __VA_ARGS__)
#define GB_OFF_SCOPE_(id, ...)                                                                                         \
    for (bool GB_OFF_CAT_(gb_pass_, id) = (GB_OFF_USE_(__VA_ARGS__), true); GB_OFF_CAT_(gb_pass_, id);                 \
         GB_OFF_CAT_(gb_pass_, id) = false)
#define GB_SCOPE_HERE(...) GB_OFF_ASSERT_("" GB_OFF_FIRST_(__VA_ARGS__) "")
#define GB_ATTR(key, value) GB_OFF_VALUE_(value)
#define GB_COUNT(...) GB_OFF_USE_(__VA_ARGS__)
#define GB_GAUGE(...) GB_OFF_USE_(__VA_ARGS__)
#define GB_METRIC(...) GB_OFF_USE_(__VA_ARGS__)
#define GB_BEGIN(...) (GB_OFF_USE_(__VA_ARGS__), GB_OFF_SPAN_)
#define GB_PREVIEW(name, data, length) GB_OFF_USE_(name, data, length)

#endif /* GB_TELEMETRY_OFF */

#endif
