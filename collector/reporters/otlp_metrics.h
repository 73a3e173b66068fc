/* SPDX-License-Identifier: MIT */
/* An ExportMetricsServiceRequest, worker by worker. In: series that were taken for it. Out: protobuf. The reporter's thread. */
#ifndef GB_REPORTERS_OTLP_METRICS_H
#define GB_REPORTERS_OTLP_METRICS_H

#include "collector/reporters/otlp_series.h"

/* The worker's ResourceMetrics. Returns how many data points it has; with 0 nothing was written. */
uint64_t otlp_put_worker(struct protobuf *out, const struct otlp_store *store, struct otlp_worker *worker);

/* The collector's own ResourceMetrics; always cumulative. `resource` as in struct otlp_worker. Returns how many data points. */
uint64_t otlp_put_collector(struct protobuf *out, const struct gb_reporter_setup *setup,
                            const struct protobuf *resource, int64_t start_wall_ns, int64_t wall_ns);

#endif
