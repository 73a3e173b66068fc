/* SPDX-License-Identifier: MIT */
/*
 * Requests of `otlp`: what goes into them, and the account of what came of them. In: series and spans. Out: messages for the
 * sender, and events counted as dropped. Reporter's thread.
 */
#ifndef GB_COLLECTOR_REPORTERS_OTLP_REQUESTS_H
#define GB_COLLECTOR_REPORTERS_OTLP_REQUESTS_H

#include "collector/reporters/otlp_metrics.h"
#include "collector/reporters/otlp_send.h"
#include "collector/reporters/otlp_series.h"
#include "collector/reporters/otlp_settings.h"
#include "collector/reporters/otlp_spans.h"

struct otlp {
    const struct gb_reporter_setup *setup;
    struct otlp_settings settings;
    struct otlp_store store;
    struct otlp_spans spans;
    struct otlp_sender *sender;
    bool curl;
    struct protobuf resource; /* the collector's own */
    int64_t start_wall_ns;
    int64_t due_ns;                  /* of the next export; 0: not set yet */
    uint32_t in_flight;              /* requests of metrics */
    const char *cause[OTLP_SIGNALS]; /* of the last failure */
};

void otlp_drop(struct otlp *self, const char *cause, uint64_t events);
/* Returns the events that nobody was told of. */
uint64_t otlp_forget(struct otlp *self, struct otlp_worker *worker);

/* The spans that were gathered, as one request. */
void otlp_push_spans(struct otlp *self);
/* The series of every worker that is not on its way already, as requests of bounded size. */
void otlp_push_metrics(struct otlp *self);
/* Settles what came back from the sender, and says what has gone wrong since. */
void otlp_collect(struct otlp *self);

#endif
