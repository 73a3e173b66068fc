/* SPDX-License-Identifier: MIT */
/*
 * Timings as spans of an ExportTraceServiceRequest. In: timings, in the order of their ring. Out: protobuf that grows by one
 * ResourceSpans for each stretch of one worker's. The reporter's thread.
 *
 * Identities are hashes, so that whoever has the same events finds the same ones: the trace of (segment, ring, lease, ordinal
 * of the root), the span of (segment, ring, lease, path, call count). A detached span may end on another thread than its
 * namesakes began on, and is nobody's parent: its place in the ring makes it one of its kind.
 */
#ifndef GB_REPORTERS_OTLP_SPANS_H
#define GB_REPORTERS_OTLP_SPANS_H

#include "collector/reporters/otlp_series.h"

/* Which roots a thread has begun, by all bits: events tell the low 16. */
struct otlp_lease {
    uint64_t lease, root;
};

/* What the spans of a path have in common; hash 0: not known yet. */
struct otlp_span_path {
    uint64_t hash;
    struct protobuf attribute; /* gb.scope */
};

/* What the spans of a thread have in common: of the last one that was seen. */
struct otlp_span_thread {
    char segment[33];
    uint32_t ring;
    uint64_t lease, hash;
    struct protobuf attributes; /* thread.id, thread.name */
};

struct otlp_spans {
    int64_t min_ns;
    uint32_t levels;  /* scopes deeper than so many levels make none; 0: all do */
    uint64_t sampled; /* a trace is kept when its hash is not above; UINT64_MAX: all */
    struct otlp_span_path *by_path;
    uint32_t path_room;
    struct otlp_span_thread thread;

    struct protobuf request; /* what comes next: closed ResourceSpans, and the open one of `worker` */
    const struct otlp_worker *worker;
    size_t resource, scope;
    uint64_t count;   /* spans in request */
    uint64_t counted; /* of them, events of the ledger */
};

/* True: it is a span of the request now. `counted`: it is in the ledger, and accounted for by its span. */
bool otlp_spans_add(struct otlp_spans *spans, struct otlp_worker *worker, const struct gb_run *run,
                    const struct gb_event *event, bool counted);

/* Closes what is open: the request is whole. */
void otlp_spans_close(struct otlp_spans *spans);
/* The request was taken: begins the next. */
void otlp_spans_reset(struct otlp_spans *spans);
void otlp_spans_free(struct otlp_spans *spans);

#endif
