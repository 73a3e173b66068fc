/* SPDX-License-Identifier: MIT */
/*
 * Where to send, and how: from the reporter's options, then the OTEL_EXPORTER_OTLP_* variables, then the defaults of OpenTelemetry.
 * In: both. Out: a struct otlp_settings that nobody changes. At open.
 */
#ifndef GB_REPORTERS_OTLP_SETTINGS_H
#define GB_REPORTERS_OTLP_SETTINGS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "gb/reporter.h"

enum otlp_signal { OTLP_METRICS, OTLP_TRACES };
#define OTLP_SIGNALS 2

extern const struct gb_option otlp_options[];
enum otlp_option {
    OTLP_OPTION_ENDPOINT,
    OTLP_OPTION_SIGNALS,
    OTLP_OPTION_TEMPORALITY,
    OTLP_OPTION_INTERVAL,
    OTLP_OPTION_TIMEOUT,
    OTLP_OPTION_COMPRESSION,
    OTLP_OPTION_HEADERS,
    OTLP_OPTION_CA,
    OTLP_OPTION_CERTIFICATE,
    OTLP_OPTION_KEY,
    OTLP_OPTION_LABELS,
    OTLP_OPTION_MAX_SERIES,
    OTLP_OPTION_MIN_DURATION,
    OTLP_OPTION_MAX_DEPTH,
    OTLP_OPTION_SAMPLE,
    OTLP_OPTION_BUFFER,
    OTLP_OPTIONS
};

/* Of one signal. */
struct otlp_target {
    char *url;
    char *shown; /* the URL without user, password and query: for messages */
    struct curl_slist *headers;
    bool gzip, loopback;
    int64_t timeout_ns;
    char *ca, *certificate, *key; /* files; NULL: not given */
};

struct otlp_settings {
    struct otlp_target target[OTLP_SIGNALS];
    bool traces, delta;
    int64_t interval_ns, min_ns;
    uint32_t max_series, levels;
    uint64_t sampled; /* UINT64_MAX: all */
    uint64_t buffer_bytes;
};

/* On error it was said what is wrong. */
int otlp_settings_make(const struct gb_reporter_setup *setup, struct otlp_settings *ret_settings);
void otlp_settings_clear(struct otlp_settings *settings);

/* What they are made of. OTEL_EXPORTER_OTLP_<SIGNAL>_<what>, else OTEL_EXPORTER_OTLP_<what>; NULL: neither. An empty one is none. */
const char *otlp_variable(enum otlp_signal signal, const char *what, bool *ret_own);
/* The option, else the variable. ret_whole: it is the URL of this signal, to which nothing is added. */
const char *otlp_endpoint(const struct gb_option_value *options, enum otlp_signal signal, bool *ret_whole);
/* The option, else the variable; NULL: no such file. */
const char *otlp_file(const struct gb_option_value *options, enum otlp_signal signal, enum otlp_option option,
                      const char *what);

/* See struct gb_reporter. The ports of both signals and of proxies, and the files of TLS. */
void otlp_reach(const struct gb_option_value *options, const struct gb_reach *reach);

#endif
