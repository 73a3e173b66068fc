/* SPDX-License-Identifier: MIT */
/* See otlp_settings.h. */
#include "collector/reporters/otlp_settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_ENDPOINT "http://127.0.0.1:4318"
#define DEFAULT_TIMEOUT_NS 10000000000
#define MS 1000000

const struct gb_option otlp_options[] = {
    [OTLP_OPTION_ENDPOINT] =
        {"endpoint", GB_OPTION_TEXT, NULL, NULL,
         "http or https URL to which /v1/metrics and /v1/traces are appended; else "
         "OTEL_EXPORTER_OTLP_ENDPOINT or _METRICS_ENDPOINT and _TRACES_ENDPOINT, else " DEFAULT_ENDPOINT},
    [OTLP_OPTION_SIGNALS] = {"signals", GB_OPTION_CHOICE, "metrics", "metrics|metrics+traces",
                             "what is sent; metrics+traces: also a span for each timing"},
    [OTLP_OPTION_TEMPORALITY] = {"temporality", GB_OPTION_CHOICE, NULL, "cumulative|delta",
                                 "sums since the start of the worker, or since the last export; else "
                                 "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, else cumulative"},
    [OTLP_OPTION_INTERVAL] = {"interval", GB_OPTION_DURATION, "10s", NULL, "time between exports"},
    [OTLP_OPTION_TIMEOUT] = {"timeout", GB_OPTION_DURATION, NULL, NULL,
                             "for one request; else OTEL_EXPORTER_OTLP_TIMEOUT (in ms), else 10s"},
    [OTLP_OPTION_COMPRESSION] = {"compression", GB_OPTION_CHOICE, NULL, "none|gzip",
                                 "of requests; else OTEL_EXPORTER_OTLP_COMPRESSION, else none"},
    [OTLP_OPTION_HEADERS] = {"headers", GB_OPTION_TEXT, NULL, NULL,
                             "key=value, separated by commas, the value percent-encoded; added to, and stronger than, "
                             "those of OTEL_EXPORTER_OTLP_HEADERS"},
    [OTLP_OPTION_CA] = {"ca", GB_OPTION_TEXT, NULL, NULL,
                        "file of certificates (PEM) to trust; else OTEL_EXPORTER_OTLP_CERTIFICATE, else the system's"},
    [OTLP_OPTION_CERTIFICATE] = {"certificate", GB_OPTION_TEXT, NULL, NULL,
                                 "file of our own certificate (PEM); else OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
    [OTLP_OPTION_KEY] = {"key", GB_OPTION_TEXT, NULL, NULL,
                         "file of its key (PEM); else OTEL_EXPORTER_OTLP_CLIENT_KEY"},
    [OTLP_OPTION_LABELS] = {"labels", GB_OPTION_TEXT, NULL, NULL,
                            "attributes of events that metrics keep, separated by ; (each value makes series)"},
    [OTLP_OPTION_MAX_SERIES] = {"max_series", GB_OPTION_INT, "2000", NULL,
                                "series of one worker; what comes beyond counts in gb.scope=\"(overflow)\""},
    [OTLP_OPTION_MIN_DURATION] = {"min_duration", GB_OPTION_DURATION, "0", NULL,
                                  "traces: shorter timings make no span"},
    [OTLP_OPTION_MAX_DEPTH] = {"max_depth", GB_OPTION_INT, "0", NULL,
                               "traces: levels of scopes that make spans; 0: all"},
    [OTLP_OPTION_SAMPLE] = {"sample", GB_OPTION_TEXT, "1", NULL,
                            "traces: share of the roots that are kept, each with all below it, from 0 to 1"},
    [OTLP_OPTION_BUFFER] = {"buffer", GB_OPTION_BYTES, "16MiB", NULL,
                            "traces: how much may wait for the receiver; spans beyond are dropped"},
    [OTLP_OPTIONS] = {NULL},
};

#define SAY(setup, ...) (setup)->say((setup)->collector, __VA_ARGS__)

const char *otlp_variable(enum otlp_signal signal, const char *what, bool *ret_own)
{
    static const char *const names[OTLP_SIGNALS] = {"METRICS", "TRACES"};
    char name[96];
    snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s_%s", names[signal], what);
    const char *value = secure_getenv(name);
    bool own = value != NULL && *value != '\0';
    if (!own) {
        snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s", what);
        value = secure_getenv(name);
    }
    if (ret_own != NULL)
        *ret_own = own;
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool is_loopback(const char *host)
{
    return host != NULL && (strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                            strcmp(host, "[::1]") == 0 || strcmp(host, "::1") == 0);
}

/* Fills in what follows from the URL. -EINVAL: it is none that is accepted. */
static int read_url(struct otlp_target *target)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;
    CURLU *url = curl_url();
    CURLUcode code = url != NULL ? curl_url_set(url, CURLUPART_URL, target->url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PATH, &path, 0);
    int result = code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    if (code == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)) {
        target->loopback = is_loopback(host);
        result = asprintf(&target->shown, "%s://%s:%s%s", scheme, host, port, path) >= 0 ? 0 : -ENOMEM;
        if (result)
            target->shown = NULL;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(url);
    return result;
}

const char *otlp_endpoint(const struct gb_option_value *options, enum otlp_signal signal, bool *ret_whole)
{
    const char *endpoint = options[OTLP_OPTION_ENDPOINT].text;
    *ret_whole = false;
    if (endpoint == NULL)
        endpoint = otlp_variable(signal, "ENDPOINT", ret_whole);
    return endpoint != NULL ? endpoint : DEFAULT_ENDPOINT;
}

const char *otlp_file(const struct gb_option_value *options, enum otlp_signal signal, enum otlp_option option,
                      const char *what)
{
    return options[option].text != NULL ? options[option].text : otlp_variable(signal, what, NULL);
}

static int make_url(const struct gb_reporter_setup *setup, enum otlp_signal signal, struct otlp_target *target)
{
    static const char *const paths[OTLP_SIGNALS] = {"/v1/metrics", "/v1/traces"};
    bool whole;
    const char *endpoint = otlp_endpoint(setup->options, signal, &whole);
    size_t length = strlen(endpoint);
    while (!whole && length > 0 && endpoint[length - 1] == '/')
        length--;
    if (asprintf(&target->url, "%.*s%s", (int)length, endpoint, whole ? "" : paths[signal]) < 0) {
        target->url = NULL;
        return -ENOMEM;
    }
    const char *host = strstr(endpoint, "://");
    int result = host != NULL && host[3] != '\0' && host[3] != '/' ? read_url(target) : -EINVAL;
    if (result != -EINVAL)
        return result;
    /* what stands before an @ may be a password */
    const char *at = strrchr(endpoint, '@');
    SAY(setup, "endpoint=%s%s: accepted is http://HOST:PORT or https://HOST:PORT", at ? "[redacted]" : "",
        at ? at : endpoint);
    return -EINVAL;
}

/* Of the form key=value, with spaces around both. `number`: which of the list. Neither key nor value are told: a token that is put in
 * the wrong form may be either. */
static int add_header(const struct gb_reporter_setup *setup, struct otlp_target *target, char *pair, unsigned number)
{
    char *value = strchr(pair, '=');
    if (value == NULL) {
        SAY(setup, "headers: number %u ([redacted]) has no value; accepted is key=value, separated by commas", number);
        return -EINVAL;
    }
    char *end = value++;
    while (end > pair && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    value += strspn(value, " \t");
    int length;
    char *decoded = curl_easy_unescape(NULL, value, 0, &length), *line = NULL;
    bool sound = decoded != NULL && end > pair && strlen(decoded) == (size_t)length;
    for (const char *at = pair; sound && *at != '\0'; at++)
        sound = isalnum((unsigned char)*at) || strchr("!#$%&'*+-.^_`|~", *at) != NULL;
    for (const char *at = decoded; sound && *at != '\0'; at++)
        sound = !iscntrl((unsigned char)*at) || *at == '\t';
    if (!sound)
        SAY(setup, "headers: number %u ([redacted]): its key is no header's name, or its value cannot stand in one",
            number);
    /* a semicolon makes libcurl send one without a value */
    struct curl_slist *headers = NULL;
    if (sound && asprintf(&line, *decoded != '\0' ? "%s: %s" : "%s;", pair, decoded) >= 0)
        headers = curl_slist_append(target->headers, line);
    free(line);
    curl_free(decoded);
    if (headers != NULL)
        target->headers = headers;
    return !sound ? -EINVAL : headers != NULL ? 0 : -ENOMEM;
}

/* Does `list` name the header of `pair`? */
static bool names_header(const char *list, const char *pair)
{
    size_t length = strcspn(pair, "= ");
    for (; list != NULL && *list != '\0'; list += strcspn(list, ","), list += *list == ',') {
        list += strspn(list, " ");
        if (strncasecmp(list, pair, length) == 0 && strchr("= ", list[length]) != NULL && list[length] != '\0')
            return true;
    }
    return false;
}

static int add_headers(const struct gb_reporter_setup *setup, struct otlp_target *target, const char *list,
                       const char *stronger)
{
    char *copy = strdup(list != NULL ? list : ""), *rest = copy;
    int result = copy != NULL ? 0 : -ENOMEM;
    unsigned number = 0;
    for (char *pair; result == 0 && (pair = strsep(&rest, ",")) != NULL;) {
        pair += strspn(pair, " \t");
        number++;
        if (*pair != '\0' && !names_header(stronger, pair))
            result = add_header(setup, target, pair, number);
    }
    free(copy);
    return result;
}

static int make_headers(const struct gb_reporter_setup *setup, enum otlp_signal signal, struct otlp_target *target)
{
    /* "Expect:" without a value keeps libcurl from waiting for a 100 */
    static const char *const ours[] = {"Content-Type: application/x-protobuf", "Expect:", "Content-Encoding: gzip"};
    for (size_t i = 0; i < (target->gzip ? 3 : 2); i++) {
        struct curl_slist *headers = curl_slist_append(target->headers, ours[i]);
        if (headers == NULL)
            return -ENOMEM;
        target->headers = headers;
    }
    const char *own = setup->options[OTLP_OPTION_HEADERS].text;
    int result = add_headers(setup, target, otlp_variable(signal, "HEADERS", NULL), own);
    return result == 0 ? add_headers(setup, target, own, NULL) : result;
}

static int make_file(const struct gb_reporter_setup *setup, enum otlp_signal signal, enum otlp_option option,
                     const char *what, char **ret_file)
{
    const char *file = otlp_file(setup->options, signal, option, what);
    if (file == NULL)
        return 0;
    FILE *in = fopen(file, "re");
    if (in == NULL) {
        int error = errno;
        SAY(setup, "cannot read %s=%s: %s", otlp_options[option].name, file, strerror(error));
        return -error;
    }
    fclose(in);
    *ret_file = strdup(file);
    return *ret_file != NULL ? 0 : -ENOMEM;
}

static int make_timeout(const struct gb_reporter_setup *setup, enum otlp_signal signal, struct otlp_target *target)
{
    const char *text = otlp_variable(signal, "TIMEOUT", NULL);
    target->timeout_ns = DEFAULT_TIMEOUT_NS;
    if (setup->options[OTLP_OPTION_TIMEOUT].text != NULL) {
        target->timeout_ns = setup->options[OTLP_OPTION_TIMEOUT].number;
    } else if (text != NULL) {
        char *end;
        errno = 0;
        long long ms = strtoll(text, &end, 10);
        if (*end == '\0' && errno == 0 && ms > 0 && ms <= INT64_MAX / MS)
            target->timeout_ns = ms * MS;
        else
            SAY(setup, "OTEL_EXPORTER_OTLP_TIMEOUT=%s: a number of milliseconds is accepted; 10 s are used", text);
    }
    if (target->timeout_ns < MS)
        target->timeout_ns = MS;
    return 0;
}

static void make_compression(const struct gb_reporter_setup *setup, enum otlp_signal signal, struct otlp_target *target)
{
    const char *text = otlp_variable(signal, "COMPRESSION", NULL);
    if (setup->options[OTLP_OPTION_COMPRESSION].text != NULL)
        target->gzip = setup->options[OTLP_OPTION_COMPRESSION].number == 1;
    else if (text != NULL && strcmp(text, "gzip") == 0)
        target->gzip = true;
    else if (text != NULL && strcmp(text, "none") != 0)
        SAY(setup, "OTEL_EXPORTER_OTLP_COMPRESSION=%s: accepted are gzip and none; none is used", text);
}

static int make_target(const struct gb_reporter_setup *setup, enum otlp_signal signal, struct otlp_target *target)
{
    make_compression(setup, signal, target);
    int result = make_timeout(setup, signal, target);
    if (result == 0)
        result = make_url(setup, signal, target);
    if (result == 0)
        result = make_headers(setup, signal, target);
    if (result == 0)
        result = make_file(setup, signal, OTLP_OPTION_CA, "CERTIFICATE", &target->ca);
    if (result == 0)
        result = make_file(setup, signal, OTLP_OPTION_CERTIFICATE, "CLIENT_CERTIFICATE", &target->certificate);
    if (result == 0)
        result = make_file(setup, signal, OTLP_OPTION_KEY, "CLIENT_KEY", &target->key);
    return result;
}

static void make_temporality(const struct gb_reporter_setup *setup, struct otlp_settings *settings)
{
    const char *text = secure_getenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
    if (setup->options[OTLP_OPTION_TEMPORALITY].text != NULL)
        settings->delta = setup->options[OTLP_OPTION_TEMPORALITY].number == 1;
    else if (text != NULL && (strcasecmp(text, "delta") == 0 || strcasecmp(text, "lowmemory") == 0))
        settings->delta = true; /* lowmemory: the same for what we have */
    else if (text != NULL && *text != '\0' && strcasecmp(text, "cumulative") != 0)
        SAY(setup,
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=%s: accepted are cumulative, delta and lowmemory; "
            "cumulative is used",
            text);
}

static int make_traces(const struct gb_reporter_setup *setup, struct otlp_settings *settings)
{
    const char *text = setup->options[OTLP_OPTION_SAMPLE].text;
    char *end;
    double share = strtod(text, &end);
    if (end == text || *end != '\0' || !(share >= 0 && share <= 1)) {
        SAY(setup, "sample=%s: a number from 0 to 1 is accepted", text);
        return -EINVAL;
    }
    settings->traces = setup->options[OTLP_OPTION_SIGNALS].number == 1;
    /* hashes are never 0, so 0 keeps none */
    settings->sampled = share >= 1 ? UINT64_MAX : (uint64_t)(share * 0x1p64);
    settings->min_ns = setup->options[OTLP_OPTION_MIN_DURATION].number;
    settings->levels = (uint32_t)setup->options[OTLP_OPTION_MAX_DEPTH].number;
    settings->buffer_bytes = (uint64_t)setup->options[OTLP_OPTION_BUFFER].number;
    return 0;
}

int otlp_settings_make(const struct gb_reporter_setup *setup, struct otlp_settings *ret_settings)
{
    int64_t series = setup->options[OTLP_OPTION_MAX_SERIES].number,
            depth = setup->options[OTLP_OPTION_MAX_DEPTH].number;
    if (series < 1 || series > 1000000 || depth < 0 || depth > 65535) {
        SAY(setup, "max_series: 1 to 1000000 is accepted, max_depth: 0 to 65535");
        return -EINVAL;
    }
    if (setup->options[OTLP_OPTION_INTERVAL].number < 10 * MS) {
        SAY(setup, "interval=%s: at least 10ms is accepted", setup->options[OTLP_OPTION_INTERVAL].text);
        return -EINVAL;
    }
    const char *protocol = otlp_variable(OTLP_METRICS, "PROTOCOL", NULL);
    if (protocol != NULL && strcmp(protocol, "http/protobuf") != 0)
        SAY(setup, "OTEL_EXPORTER_OTLP_PROTOCOL=%s: only http/protobuf is spoken, and is used", protocol);
    *ret_settings = (struct otlp_settings){.interval_ns = setup->options[OTLP_OPTION_INTERVAL].number,
                                           .max_series = (uint32_t)series};
    make_temporality(setup, ret_settings);
    int result = make_traces(setup, ret_settings);
    for (unsigned i = 0; i < OTLP_SIGNALS && result == 0; i++)
        result = make_target(setup, i, &ret_settings->target[i]);
    if (result < 0)
        otlp_settings_clear(ret_settings);
    return result;
}

void otlp_settings_clear(struct otlp_settings *settings)
{
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        struct otlp_target *target = &settings->target[i];
        curl_slist_free_all(target->headers);
        free(target->url);
        free(target->shown);
        free(target->ca);
        free(target->certificate);
        free(target->key);
        *target = (struct otlp_target){0};
    }
}
