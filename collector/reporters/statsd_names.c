/* SPDX-License-Identifier: MIT */
/* See statsd_names.h. */
#include "collector/reporters/statsd_names.h"

#include <stdlib.h>
#include <string.h>

#include "collector/reporters/keyed.h"
#include "collector/utf8.h"

struct taken {
    struct keyed keyed;
    enum statsd_kind kind;
    char name[];
};

bool statsd_names_init(struct statsd_names *names, bool datadog, const char *prefix)
{
    *names = (struct statsd_names){.datadog = datadog, .prefix = prefix};
    return keyed_init(&names->taken);
}

void statsd_names_clear(struct statsd_names *names)
{
    for (uint32_t i = 0; i < names->path_count * STATSD_KINDS; i++)
        free(names->paths[i].text);
    free(names->paths);
    keyed_free(&names->taken, free);
    *names = (struct statsd_names){0};
}

static bool is_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '-' || byte == '.';
}

char *statsd_put_name(char *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (is_word(text[i]))
            *out++ = text[i];
        else if (((uint8_t)text[i] & 0xc0) != 0x80) /* one a character */
            *out++ = '_';
    return out;
}

char *statsd_put_tag(char *out, const char *text, size_t length)
{
    char *start = out;
    size_t bytes;

    for (size_t i = 0; i < length; i += bytes) {
        bytes = 1;
        if ((uint8_t)text[i] >= 0x80)
            bytes = utf8_character(text + i, length - i);
        if (bytes > 1 && (size_t)(out - start) + bytes > STATSD_TAG_MAX)
            break;
        if ((size_t)(out - start) >= STATSD_TAG_MAX)
            break;
        if (bytes > 1 && !((uint8_t)text[i] == 0xc2 && ((uint8_t)text[i + 1] & 0xe0) == 0x80)) {
            memcpy(out, text + i, bytes);
            out += bytes;
            continue;
        }
        bool plain = bytes == 1 && text[i] > ' ' && text[i] < 0x7f && !strchr(",|#@\"\\", text[i]);
        *out++ = plain ? text[i] : '_';
        bytes = bytes ? bytes : 1;
    }
    return out;
}

/* The ending that tells a name from another type's of the same name; the first has none. NULL: no memory. */
static const char *ending_of(struct statsd_names *names, const char *name, size_t length, enum statsd_kind kind)
{
    static const char *const endings[] = {
        [STATSD_COUNTER] = "_counter", [STATSD_GAUGE] = "_gauge", [STATSD_SAMPLE] = "_sample"};
    struct taken *taken = keyed_find(&names->taken, name, (uint32_t)length);

    if (!taken) {
        taken = malloc(sizeof(*taken) + length);
        if (!taken)
            return NULL;
        memcpy(taken->name, name, length);
        taken->kind = kind;
        if (!keyed_add(&names->taken, &taken->keyed, taken->name, (uint32_t)length)) {
            free(taken);
            return NULL;
        }
    }
    return taken->kind == kind ? "" : endings[kind];
}

static char *put_text(char *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
}

/* gb.<path>, and no tags. */
static char *put_plain(const struct statsd_names *names, char *out, const struct gb_path *path, enum statsd_kind kind)
{
    out = put_text(out, names->prefix);
    *out++ = '.';
    out = statsd_put_name(out, path->text, path->length);
    if (kind == STATSD_UNFINISHED)
        out = put_text(out, ".unfinished");
    *out++ = 0;
    return out;
}

/* gb.scope.duration or gb.<name>, and the tag scope. NULL: no memory. */
static char *put_datadog(struct statsd_names *names, char *out, const struct gb_path *path, enum statsd_kind kind)
{
    bool of_scope = kind == STATSD_TIMING || kind == STATSD_UNFINISHED;
    const struct gb_path *scope = of_scope ? path : path->parent;

    out = put_text(out, names->prefix);
    *out++ = '.';
    if (of_scope) {
        out = put_text(out, kind == STATSD_TIMING ? "scope.duration" : "scope.unfinished");
    } else {
        char *name = out;
        out = statsd_put_name(out, path->name, path->name_length);
        const char *ending = ending_of(names, name, (size_t)(out - name), kind);
        if (!ending)
            return NULL;
        out = put_text(out, ending);
    }
    *out++ = 0;
    if (scope) {
        out = put_text(out, "scope:");
        out = statsd_put_tag(out, scope->text, scope->length);
    }
    return out;
}

static bool grow(struct statsd_names *names, uint32_t id)
{
    uint32_t count = names->path_count ? names->path_count : 64;

    while (count <= id)
        count *= 2;
    struct statsd_key *paths = reallocarray(names->paths, (size_t)count * STATSD_KINDS, sizeof(*paths));
    if (!paths)
        return false;
    size_t old = (size_t)names->path_count * STATSD_KINDS;
    memset(paths + old, 0, ((size_t)count * STATSD_KINDS - old) * sizeof(*paths));
    names->paths = paths;
    names->path_count = count;
    return true;
}

const struct statsd_key *statsd_names_key(struct statsd_names *names, const struct gb_path *path, enum statsd_kind kind)
{
    if (path->id >= names->path_count && (path->id > UINT32_MAX / 16 || !grow(names, path->id)))
        return NULL;
    struct statsd_key *key = &names->paths[(size_t)path->id * STATSD_KINDS + kind];
    if (key->text)
        return key;
    char *text = malloc(strlen(names->prefix) + 2 * (size_t)path->length + 64), *out = text;
    if (!text)
        return NULL;
    *out++ = (char)kind;
    out = names->datadog ? put_datadog(names, out, path, kind) : put_plain(names, out, path, kind);
    if (!out) {
        free(text);
        return NULL;
    }
    key->length = (uint32_t)(out - text);
    key->text = text;
    return key;
}
