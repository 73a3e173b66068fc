/* SPDX-License-Identifier: MIT */
/* What a client of HTTP wants. In: the headers Accept and Accept-Encoding; NULL: not sent. Out: a choice. Pure. */
#ifndef GB_REPORTERS_PROMETHEUS_ACCEPT_H
#define GB_REPORTERS_PROMETHEUS_ACCEPT_H

#include <stdbool.h>

#include "collector/reporters/prometheus_page.h"

/* The format that is wanted most; text 0.0.4 for who wants none of ours. */
const struct prometheus_format *prometheus_accept(const char *accept);
bool prometheus_accepts_gzip(const char *accept_encoding);

#endif
