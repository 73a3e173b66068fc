/* SPDX-License-Identifier: MIT */
/* One connection to a receiver and the request on it. In: a message. Out: what an attempt came to. The sender's thread. */
#ifndef GB_REPORTERS_OTLP_LANE_H
#define GB_REPORTERS_OTLP_LANE_H

#include "collector/reporters/otlp_send.h"

#define OTLP_ANSWER_MAX (64u << 10) /* of an answer's body are read */

struct otlp_lane {
    const struct otlp_target *target;
    CURL *easy;
    char error[CURL_ERROR_SIZE];
    uint8_t *answer;
    size_t answer_length;
};

int otlp_lane_make(const struct otlp_target *target, struct otlp_lane *lane);
void otlp_lane_clear(struct otlp_lane *lane);

/* Packs the body, if it is to be, and begins an attempt. */
int otlp_lane_start(struct otlp_lane *lane, CURLM *multi, struct otlp_message *message);

/* The attempt has ended with `code`: fills in the message's outcome, cause and why. True: final. Else try again, at the earliest
 * after *ret_pause_ns. */
bool otlp_lane_judge(struct otlp_lane *lane, CURLcode code, struct otlp_message *message, int64_t *ret_pause_ns);

#endif
