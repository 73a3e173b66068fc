/* SPDX-License-Identifier: MIT */
/* See statsd_settings.h. */
#include "collector/reporters/statsd_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_DEFAULT "127.0.0.1:8125"
#define SAY(setup, ...) (setup)->say((setup)->collector, __VA_ARGS__)

const struct gb_option statsd_options[] = {
    [OPTION_ADDRESS] = {"address", GB_OPTION_TEXT, NULL, NULL,
                        "HOST:PORT (UDP) or unix:PATH; default " ADDRESS_DEFAULT
                        ", for datadog by DD_AGENT_HOST and DD_DOGSTATSD_PORT"},
    [OPTION_FLAVOUR] = {"flavour", GB_OPTION_CHOICE, "statsd", "statsd|datadog",
                        "plain, one metric a datagram, or with tags, distributions and packed datagrams"},
    [OPTION_INTERVAL] = {"interval", GB_OPTION_DURATION, "10s", NULL, "events are gathered for so long"},
    [OPTION_RAW] = {"raw", GB_OPTION_BOOL, "no", NULL, "each event is sent on its own, as it comes"},
    [OPTION_LABELS] = {"labels", GB_OPTION_TEXT, NULL, NULL,
                       "attributes that become tags (datadog), separated by spaces or commas"},
    [OPTION_PREFIX] = {"prefix", GB_OPTION_TEXT, "gb", NULL, "what all names begin with"},
    {0}};

const char *statsd_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The option, or for datadog what its clients go by, or the default. */
char *statsd_find_address(const struct gb_reporter_setup *setup, bool datadog)
{
    const char *given = setup->options[OPTION_ADDRESS].text;
    const char *host = datadog ? statsd_environment("DD_AGENT_HOST") : NULL;
    const char *port = datadog ? statsd_environment("DD_DOGSTATSD_PORT") : NULL;
    char *address = NULL;

    if (given || (!host && !port))
        return strdup(given ? given : ADDRESS_DEFAULT);
    bool is_v6 = host && strchr(host, ':') && host[0] != '[';
    if (asprintf(&address, "%s%s%s:%s", is_v6 ? "[" : "", host ? host : "127.0.0.1", is_v6 ? "]" : "",
                 port ? port : "8125") < 0)
        return NULL;
    return address;
}

/* env:…,version:… */
char *statsd_find_tags(void)
{
    static const char *const names[][2] = {{"DD_ENV", "env:"}, {"DD_VERSION", "version:"}};
    char *tags = calloc(1, 2 * ((STATSD_TAG_MAX + 2) + 16)), *out = tags;

    for (unsigned i = 0; tags && i < 2; i++) {
        const char *value = statsd_environment(names[i][0]);
        if (!value)
            continue;
        if (out > tags)
            *out++ = ',';
        out = stpcpy(out, names[i][1]);
        out = statsd_put_tag(out, value, strlen(value));
    }
    return tags;
}

static int add_label(const struct gb_reporter_setup *setup, struct statsd_labels *labels, const char *key,
                     size_t length)
{
    static const char *const own[] = {"scope", "service", "env", "version"};
    struct statsd_label *label = &labels->list[labels->count];
    const char *before = "";

    if (labels->count == STATSD_LABELS_MAX) {
        SAY(setup, "labels: at most %d are accepted", STATSD_LABELS_MAX);
        return -EINVAL;
    }
    labels->count++;
    label->key = strndup(key, length);
    label->tag = calloc(1, length + 16);
    if (!label->key || !label->tag)
        return -ENOMEM;
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(label->key, own[i]) == 0)
            before = "attr_";
    char *out = stpcpy(stpcpy(label->tag, ","), before);
    out = statsd_put_name(out, key, length);
    *out = ':';
    return 0;
}

int statsd_read_labels(const struct gb_reporter_setup *setup, bool datadog, struct statsd_labels *labels)
{
    const char *text = setup->options[OPTION_LABELS].text;
    int error = 0;

    if (text && !datadog) {
        SAY(setup, "labels=%s: plain StatsD has no tags; accepted with flavour=datadog", text);
        return -EINVAL;
    }
    while (text && !error) {
        text += strspn(text, ", ");
        size_t length = strcspn(text, ", ");
        if (length == 0)
            break;
        error = add_label(setup, labels, text, length);
        text += length;
    }
    return error;
}

int statsd_check_prefix(const struct gb_reporter_setup *setup, const char *prefix)
{
    char clean[128];
    size_t length = strlen(prefix);

    if (length > 0 && length < sizeof(clean)) {
        const char *end = statsd_put_name(clean, prefix, length);
        if ((size_t)(end - clean) == length && memcmp(clean, prefix, length) == 0)
            return 0;
    }
    SAY(setup, "prefix=%s: 1 to %zu letters, digits, _, - and . are accepted", prefix, sizeof(clean) - 1);
    return -EINVAL;
}

void statsd_labels_clear(struct statsd_labels *labels)
{
    for (unsigned i = 0; i < labels->count; i++) {
        free(labels->list[i].key);
        free(labels->list[i].tag);
    }
    labels->count = 0;
}
