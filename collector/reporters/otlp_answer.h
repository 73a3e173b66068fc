/* SPDX-License-Identifier: MIT */
/* What a receiver of OTLP answers. In: the body of an answer. Out: how much it rejected, and why. No state; any thread. */
#ifndef GB_REPORTERS_OTLP_ANSWER_H
#define GB_REPORTERS_OTLP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The partial success of an Export*ServiceResponse; 0 and "" without one. False: this is no such message. */
bool otlp_answer_partial(const uint8_t *body, size_t length, uint64_t *ret_rejected, char *why, size_t why_size);

/* The message of a google.rpc.Status, which an error has as its body; "" when there is none. */
void otlp_answer_status(const uint8_t *body, size_t length, char *why, size_t why_size);

#endif
