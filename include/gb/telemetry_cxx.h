/* SPDX-License-Identifier: MIT */
/*
 * What the macros of telemetry.h are made of in C++, from C++11 on: overloads in the place of _Generic, a guard in that of the
 * cleanup attribute. A part of telemetry_macros.h, for it alone to include.
 */
#ifndef GB_TELEMETRY_CXX_H
#define GB_TELEMETRY_CXX_H

#include <initializer_list>

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
    struct gb_scope scope = {static_cast<uint64_t>(reinterpret_cast<uintptr_t>(anchor))};
    if (attrs.size() == 0)
        gb_scope_begin_plain_(name, anchor);
    else
        gb_scope_begin_(name, attrs.begin(), static_cast<uint32_t>(attrs.size()), anchor);
    return scope;
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
#define GB_BEGIN_1_(...) (gb_enabled() ? gb_open_span_(GB_SITE_(__VA_ARGS__), GB_LIST_(__VA_ARGS__)) : gb_span())

#endif
