/* SPDX-License-Identifier: MIT */
/* The tracepoints of the peer LTTng-UST: a begin/end pair, and one event with both times. Read by its headers several times over. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER gb_bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "bench/peers/lttng_provider.h"

#if !defined(GB_BENCH_PEERS_LTTNG_PROVIDER_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define GB_BENCH_PEERS_LTTNG_PROVIDER_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_EVENT(gb_bench, begin, LTTNG_UST_TP_ARGS(const char *, name),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_string(name, name)))
LTTNG_UST_TRACEPOINT_EVENT(gb_bench, end, LTTNG_UST_TP_ARGS(const char *, name),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_string(name, name)))
LTTNG_UST_TRACEPOINT_EVENT(gb_bench, span, LTTNG_UST_TP_ARGS(const char *, name, uint64_t, start, uint64_t, end),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_string(name, name)
                                                   lttng_ust_field_integer(uint64_t, start, start)
                                                       lttng_ust_field_integer(uint64_t, end, end)))
LTTNG_UST_TRACEPOINT_EVENT(
    gb_bench, span_3,
    LTTNG_UST_TP_ARGS(const char *, name, uint64_t, start, uint64_t, end, int64_t, a, double, b, uint64_t, c),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_string(name, name) lttng_ust_field_integer(uint64_t, start, start)
                            lttng_ust_field_integer(uint64_t, end, end) lttng_ust_field_integer(int64_t, a, a)
                                lttng_ust_field_float(double, b, b) lttng_ust_field_integer(uint64_t, c, c)))

#endif
#include <lttng/tracepoint-event.h>
