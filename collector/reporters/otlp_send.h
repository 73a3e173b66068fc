/* SPDX-License-Identifier: MIT */
/*
 * The sender: requests out, answers in, on a thread of its own, so that a receiver that is slow or away holds up nothing else.
 * In: messages, from the reporter's thread. Out: the same messages, with what became of them.
 *
 * Each signal has a lane: its requests go one after the other over one connection that is kept. A failed attempt is repeated
 * if it may be - no connection, no answer in time, or 429, 502, 503, 504 - after a pause that doubles, with jitter, and is never
 * shorter than what Retry-After asks for; meanwhile those behind it wait. Anything else is final.
 *
 * Contract: all but otlp_sender_free is called from one thread; every message that was pushed comes back exactly once, from
 * otlp_sender_done or, after otlp_sender_finish, at the latest then.
 */
#ifndef GB_REPORTERS_OTLP_SEND_H
#define GB_REPORTERS_OTLP_SEND_H

#include <stddef.h>
#include <stdint.h>

#include "collector/reporters/otlp_settings.h"

enum otlp_outcome {
    OTLP_ACCEPTED,   /* perhaps not all of it: see `rejected` */
    OTLP_REFUSED,    /* for good */
    OTLP_UNDELIVERED /* tried for too long, or superseded, or the end came */
};

struct otlp_worker;

struct otlp_message {
    struct otlp_message *next;
    enum otlp_signal signal;
    uint8_t *body; /* from malloc */
    size_t length;
    uint64_t points, events;      /* data points or spans in it; traces: how many of them are events of the ledger */
    struct otlp_worker **workers; /* metrics: whose they are */
    uint32_t worker_count, worker_room;
    /* the sender's: */
    bool packed;
    uint64_t held; /* bytes that it counts for in the buffer */
    int64_t first_ns;
    unsigned attempts;
    enum otlp_outcome outcome;
    const char *cause; /* a literal; NULL: none */
    uint64_t rejected; /* of points */
    char why[200];     /* "" or a sentence of the receiver's */
};

void otlp_message_free(struct otlp_message *message);

struct otlp_sender;

int otlp_sender_make(const struct otlp_settings *settings, struct otlp_sender **ret_sender);

/* Takes the message over. -ENOBUFS: spans that the buffer has no room for; the message stays the caller's. */
int otlp_sender_push(struct otlp_sender *sender, struct otlp_message *message);

/* Metrics that only wait come back undelivered, as newer ones stand in for them. */
void otlp_sender_supersede(struct otlp_sender *sender);

/* Those that have come back, in a list. */
struct otlp_message *otlp_sender_done(struct otlp_sender *sender);

/* Waits until one has come back, or the time (CLOCK_MONOTONIC) has come. */
void otlp_sender_wait(struct otlp_sender *sender, int64_t deadline_ns);

/* True once after each change: attempts fail, with why, or (`""`) no longer do. */
bool otlp_sender_trouble(struct otlp_sender *sender, enum otlp_signal signal, char *why, size_t why_size);

/* Goes on until all is sent or the time (CLOCK_MONOTONIC) has come, then ends the thread. */
void otlp_sender_finish(struct otlp_sender *sender, int64_t deadline_ns);

void otlp_sender_free(struct otlp_sender *sender);

#endif
