/* SPDX-License-Identifier: MIT */
/*
 * What JSON and logfmt lines share: the texts that are made once per path, key and run. In: runs and events. Out: room
 * and ready texts for the formats. Reporter's thread.
 */
#include "collector/reporters/lines.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/reporters/escape.h"

#define FIXED_ROOM 1536 /* literals and numbers of the longest kind of line: a worker's last */

void lines_init(struct lines *lines, const struct line_format *format, bool compact, const char *host)
{
    *lines = (struct lines){.format = format, .compact = compact, .host = host ? host : ""};
}

static void free_pieces(struct piece *pieces, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(pieces[i].text);
    free(pieces);
}

void lines_clear(struct lines *lines)
{
    free_pieces(lines->paths, lines->path_count);
    free_pieces(lines->keys, lines->key_count);
    free(lines->run.text);
    *lines = (struct lines){0};
}

/* Ids come without gaps, so the array at most doubles what is in use. */
static struct piece *piece_at(struct piece **pieces, uint32_t *count, uint32_t id)
{
    if (id >= *count) {
        size_t wanted = (size_t)id + id / 2 + 64;
        struct piece *larger = reallocarray(*pieces, wanted, sizeof(**pieces));
        if (!larger)
            return NULL;
        memset(larger + *count, 0, (wanted - *count) * sizeof(*larger));
        *pieces = larger;
        *count = (uint32_t)wanted;
    }
    return &(*pieces)[id];
}

/* Gives back what was reserved too much. */
static void piece_set(struct piece *piece, char *text, const char *end)
{
    piece->length = (uint32_t)(end - text);
    char *smaller = realloc(text, piece->length + 1);
    piece->text = smaller ? smaller : text;
}

static bool path_ready(struct lines *lines, const struct gb_path *path)
{
    struct piece *piece = piece_at(&lines->paths, &lines->path_count, path->id);
    if (!piece)
        return false;
    if (piece->text)
        return true;
    char *text = malloc(FIXED_ROOM + ESCAPE_MAX(path->length) + (path->parent ? ESCAPE_MAX(path->parent->length) : 0));
    if (!text)
        return false;
    piece_set(piece, text, lines->format->put_path(text, path, &piece->first));
    return true;
}

static bool key_ready(struct lines *lines, const struct gb_event_key *key)
{
    struct piece *piece = piece_at(&lines->keys, &lines->key_count, key->id);
    if (!piece)
        return false;
    if (piece->text)
        return true;
    char *text = malloc(64 + ESCAPE_MAX(key->length));
    if (!text)
        return false;
    piece_set(piece, text, lines->format->put_key(text, key));
    return true;
}

static size_t worker_room(const struct lines *lines, const struct gb_worker *worker)
{
    return ESCAPE_MAX(strlen(worker->program) + strlen(worker->service) + strlen(lines->host));
}

int lines_begin_run(struct lines *lines, const struct gb_run *run, bool tell_thread, uint32_t segment_digits)
{
    size_t room = FIXED_ROOM + worker_room(lines, run->worker);

    lines->tell_thread = tell_thread;
    lines->segment_digits = lines->compact ? segment_digits : SEGMENT_DIGITS;
    if (!run->ring_known)
        return 0;
    if (room > lines->run_room) {
        char *larger = realloc(lines->run.text, room);
        if (!larger)
            return -ENOMEM;
        lines->run.text = larger;
        lines->run_room = room;
    }
    char *end = lines->format->put_run(lines->run.text, lines, run, &lines->run.first);
    lines->run.length = (uint32_t)(end - lines->run.text);
    return 0;
}

size_t lines_room(struct lines *lines, const struct gb_run *run, const struct gb_event *event)
{
    size_t room = FIXED_ROOM + lines->run.length;

    if (event->path) {
        if (!path_ready(lines, event->path))
            return 0;
        room += lines->paths[event->path->id].length;
    }
    for (uint32_t i = 0; i < event->attr_count; i++) {
        const struct gb_event_attr *attr = &event->attrs[i];
        if (!key_ready(lines, attr->key))
            return 0;
        room += lines->keys[attr->key->id].length + NUMBER_MAX;
        if (attr->value.type == GB_VALUE_TEXT)
            room += ESCAPE_MAX(attr->value.length);
    }
    if (event->kind >= GB_EVENT_COUNTER && event->kind <= GB_EVENT_SAMPLE && event->as.value.type == GB_VALUE_TEXT)
        room += ESCAPE_MAX(event->as.value.length);
    if (event->kind == GB_EVENT_STARTED || event->kind == GB_EVENT_FINISHED || !run->ring_known)
        room += worker_room(lines, run->worker);
    return room;
}
