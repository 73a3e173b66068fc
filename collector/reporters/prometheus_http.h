/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server: /metrics, /healthz, /readyz. In: connections. Out: answers. One thread of its own (libmicrohttpd's), which
 * takes nothing from the reporter's thread but the store's lock, for moments.
 *
 * Clients are not trusted: so many connections at a time, so many bytes of headers, so much time from accept to request and to the
 * end of the answer; one request a connection. When connections run out, the oldest that has asked nothing yet gives way,
 * so that those who sit there keep nobody else out.
 */
#ifndef GB_REPORTERS_PROMETHEUS_HTTP_H
#define GB_REPORTERS_PROMETHEUS_HTTP_H

#include "collector/reporters/prometheus_own.h"

#define PROMETHEUS_CONNECTIONS 64
#define PROMETHEUS_HEADER_BYTES 16384
#define PROMETHEUS_REQUEST_NS 5000000000 /* from accept to the whole request */
#define PROMETHEUS_ANSWER_NS 30000000000 /* from accept to the end of the answer */
#define PROMETHEUS_BODIES 8              /* answers under way at a time: each holds its bytes */

struct prometheus_http;

/* `listen`: HOST:PORT, [IPv6]:PORT or :PORT (all addresses); port 0: a free one. On error it has been said. */
int prometheus_http_start(const struct gb_reporter_setup *setup, const char *listen, struct prometheus_own *own,
                          struct prometheus_http **ret_http);

/* The reporter's thread: from now on /readyz and /metrics answer; and connections that took too long are cut. */
void prometheus_http_tick(struct prometheus_http *http, int64_t now_ns);

/* Waits for its thread. Takes NULL. */
void prometheus_http_stop(struct prometheus_http *http);

/* prometheus_listen.c: is it of that form? 0, or -EINVAL with a sentence in `error`. */
int prometheus_listen_check(const char *listen, char *error, size_t error_size);
/* A listening socket, and its address as text for people. Negative errno with a sentence in `error`. */
int prometheus_listen(const char *listen, int *ret_fd, char *address, size_t address_size, bool *ret_loopback,
                      char *error, size_t error_size);

#endif
