/* SPDX-License-Identifier: MIT */
/*
 * What reporters are told of a worker. In: the copy of a segment's header. Out: a struct gb_worker with cleaned texts and
 * the lowest free number. Control thread.
 */
#ifndef GB_COLLECTOR_WORKER_H
#define GB_COLLECTOR_WORKER_H

#include "gb/reporter.h"
#include "gb/wire.h"

/* `header`: a private copy, already validated. */
int worker_make(const struct gbw_header *header, struct gb_worker **ret_worker);
void worker_free(struct gb_worker *worker); /* takes NULL; its number is free again */

/* This machine's name. */
const char *worker_host(void);

/* 32 hex digits and a zero. */
void worker_segment_text(const uint8_t id[16], char ret_text[33]);

#endif
