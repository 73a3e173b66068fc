/* SPDX-License-Identifier: MIT */
/*
 * telemetry.h with -DGB_TELEMETRY_OFF: the same names, and control flow means the same, but nothing is evaluated, and nothing
 * referred to. A part of telemetry.h, for it alone to include.
 */
#ifndef GB_TELEMETRY_OFF_H
#define GB_TELEMETRY_OFF_H

#include <errno.h>

#define GB_OFF_INLINE_ __attribute__((always_inline)) static inline

#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* functions named like their struct */
#endif

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

#endif
