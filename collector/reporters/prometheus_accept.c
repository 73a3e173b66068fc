/* SPDX-License-Identifier: MIT */
/*
 * See prometheus_accept.h. A header is a list of entries, an entry a word and its parameters: `type;name=value;q=0.5, type`.
 */
#include "collector/reporters/prometheus_accept.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 128

struct entry {
    char word[WORD_MAX], proto[WORD_MAX], encoding[WORD_MAX], version[WORD_MAX];
    double quality;
};

static void copy(char *to, const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    length = length < WORD_MAX - 1 ? length : WORD_MAX - 1;
    memcpy(to, text, length);
    to[length] = '\0';
}

static void read_parameter(struct entry *entry, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    char value[WORD_MAX];
    if (equals == NULL)
        return;
    size_t name = (size_t)(equals - text);
    copy(value, equals + 1, length - name - 1);
    if (name == 1 && (*text | 0x20) == 'q')
        entry->quality = strtod(value, NULL);
    else if (name == 5 && strncasecmp(text, "proto", 5) == 0)
        memcpy(entry->proto, value, sizeof(value));
    else if (name == 8 && strncasecmp(text, "encoding", 8) == 0)
        memcpy(entry->encoding, value, sizeof(value));
    else if (name == 7 && strncasecmp(text, "version", 7) == 0)
        memcpy(entry->version, value, sizeof(value));
}

/* Reads one entry; returns what follows it, NULL at the end. */
static const char *next_entry(const char *text, struct entry *entry)
{
    *entry = (struct entry){.quality = 1};
    for (bool first = true;; first = false) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, ";,");
        if (first)
            copy(entry->word, text, length);
        else
            read_parameter(entry, text, length);
        text += length;
        if (*text != ';')
            return *text == ',' ? text + 1 : NULL;
        text++;
    }
}

static const struct prometheus_format *format_of(const struct entry *entry)
{
    if (strcasecmp(entry->word, "application/vnd.google.protobuf") == 0)
        return strcmp(entry->proto, "io.prometheus.client.MetricFamily") == 0 &&
                       strcmp(entry->encoding, "delimited") == 0
                   ? &prometheus_protobuf
                   : NULL;
    if (strcasecmp(entry->word, "application/openmetrics-text") == 0) /* our 1.0.0 is what 0.0.1 became */
        return entry->version[0] == '\0' || strcmp(entry->version, "1.0.0") == 0 || strcmp(entry->version, "0.0.1") == 0
                   ? &prometheus_openmetrics
                   : NULL;
    if (strcasecmp(entry->word, "text/plain") == 0 || strcmp(entry->word, "*/*") == 0 ||
        strcasecmp(entry->word, "text/*") == 0)
        return &prometheus_text;
    return NULL;
}

const struct prometheus_format *prometheus_accept(const char *accept)
{
    const struct prometheus_format *best = &prometheus_text;
    double quality = 0;
    struct entry entry;
    while (accept != NULL) {
        accept = next_entry(accept, &entry);
        const struct prometheus_format *format = format_of(&entry);
        if (format != NULL && entry.quality > quality) { /* of equals, the first that was named */
            best = format;
            quality = entry.quality;
        }
    }
    return best;
}

bool prometheus_accepts_gzip(const char *accept_encoding)
{
    struct entry entry;
    double any = 0, gzip = -1;
    while (accept_encoding != NULL) {
        accept_encoding = next_entry(accept_encoding, &entry);
        if (strcasecmp(entry.word, "gzip") == 0 || strcasecmp(entry.word, "x-gzip") == 0)
            gzip = entry.quality;
        else if (strcmp(entry.word, "*") == 0)
            any = entry.quality;
    }
    return gzip >= 0 ? gzip > 0 : any > 0;
}
