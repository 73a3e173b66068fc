/* SPDX-License-Identifier: MIT */
/* See attrs.h; the layout is drawn in wire.h. */
#include "collector/attrs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "collector/decode.h"
#include "collector/names.h"

#define REDACTED_TEXT "[redacted]"

_Static_assert(BATCH_EVENT_ATTRS == GBW_ATTRS_MAX, "room for one event's attributes");
_Static_assert(BATCH_EVENT_TEXT >= GBW_MORE_MAX * GBW_MORE_BYTES, "room for one event's text");

/* Where we are in the extension. */
struct stream {
    const uint8_t *at;
    uint32_t left;
};

static const uint8_t *stream_take(struct stream *stream, uint32_t bytes)
{
    const uint8_t *at = stream->at;
    if (bytes > stream->left)
        return NULL;
    stream->at += bytes;
    stream->left -= bytes;
    return at;
}

static int special_value(uint32_t special, uint32_t length, struct stream *stream, struct batch *batch,
                         struct gb_event_value *ret_value)
{
    *ret_value = (struct gb_event_value){.type = GB_VALUE_BOOL};
    switch (special) {
    case GBW_NULL:
        ret_value->type = GB_VALUE_NULL;
        return 0;
    case GBW_FALSE:
    case GBW_TRUE:
        ret_value->as.boolean = special == GBW_TRUE;
        return 0;
    case GBW_REDACTED:
        ret_value->type = GB_VALUE_TEXT;
        ret_value->length = sizeof(REDACTED_TEXT) - 1;
        ret_value->as.text = REDACTED_TEXT;
        return 0;
    case GBW_TEXT: {
        const uint8_t *bytes = length <= GBW_STRING_MAX ? stream_take(stream, length) : NULL;
        if (!bytes)
            return -EPROTO;
        char *copy = batch->text + batch->text_bytes;
        memcpy(copy, bytes, length);
        batch->text_bytes += length;
        ret_value->type = GB_VALUE_TEXT;
        ret_value->length = length;
        ret_value->as.text = copy;
        return 0;
    }
    default:
        return -EPROTO;
    }
}

static int plain_value(uint32_t type, uint64_t bits, struct gb_event_value *ret_value)
{
    static const uint32_t types[] = {
        [GBW_INT] = GB_VALUE_INT, [GBW_UINT] = GB_VALUE_UINT, [GBW_DOUBLE] = GB_VALUE_DOUBLE};
    if (type > GBW_DOUBLE)
        return -EPROTO;
    ret_value->type = types[type];
    ret_value->length = 0;
    ret_value->as.u = bits;
    return 0;
}

static int inline_attr(const struct gbw_record *record, uint32_t index, struct stream *stream, struct batch *batch,
                       uint32_t *ret_key, struct gb_event_value *ret_value)
{
    enum gbw_type type = record_type(record, index);
    uint64_t bits = record->word[5 + index];
    *ret_key = record->word[4] >> (16 + 16 * index) & 0xffff;
    if (type != GBW_SPECIAL)
        return plain_value(type, bits, ret_value);
    return special_value(bits & 0xff, bits >> 8 & 0xff, stream, batch, ret_value);
}

static int further_attr(struct stream *stream, struct batch *batch, uint32_t *ret_key, struct gb_event_value *ret_value)
{
    const uint8_t *head = stream_take(stream, 4);
    uint16_t key;
    uint64_t bits;
    if (!head)
        return -EPROTO;
    memcpy(&key, head, sizeof(key));
    *ret_key = key;
    uint32_t type = head[2], length = head[3];
    if (type > GBW_SPECIAL)
        return special_value(type - GBW_SPECIAL - 1, length, stream, batch, ret_value);
    const uint8_t *bytes = length == sizeof(bits) ? stream_take(stream, length) : NULL;
    if (!bytes)
        return -EPROTO;
    memcpy(&bits, bytes, sizeof(bits));
    return plain_value(type, bits, ret_value);
}

static const struct name_ref *key_of(struct segment *segment, struct paths *paths, uint32_t id)
{
    if (id >= segment->names_known && (names_mirror(segment, paths) || id >= segment->names_known))
        return NULL;
    return segment->names[id].key ? &segment->names[id] : NULL;
}

/* The newest attribute stands at attrs[count]. Has its key been there before, the later value wins, in the place of the
 * first. `seen` has a bit for each key before it, so that the search is rare. Returns the new count. */
static uint32_t settle_newest(struct gb_event_attr *attrs, uint32_t count, uint64_t *seen)
{
    const struct gb_event_attr *newest = &attrs[count];
    uint64_t bit = 1ull << ((uintptr_t)newest->key / _Alignof(max_align_t) % 64);
    if (*seen & bit) {
        for (uint32_t i = 0; i < count; i++) {
            if (attrs[i].key == newest->key) {
                attrs[i].value = newest->value;
                return count;
            }
        }
    }
    *seen |= bit;
    return count + 1;
}

bool attrs_extend(const struct gbw_record *record)
{
    uint32_t count = record_attrs(record);
    for (uint32_t i = 0; i < count && i < GBW_ATTRS_INLINE; i++) {
        uint64_t bits = record->word[5 + i];
        if (record_type(record, i) == GBW_SPECIAL && (bits & 0xff) == GBW_TEXT && (bits >> 8 & 0xff))
            return true;
    }
    return count > GBW_ATTRS_INLINE;
}

int attrs_decode(struct segment *segment, struct paths *paths, const struct gbw_record *record, const uint8_t *ext,
                 uint32_t ext_bytes, struct batch *batch, struct gb_event *event)
{
    struct stream stream = {.at = ext, .left = ext_bytes};
    struct gb_event_attr *attrs = batch->attrs + batch->attr_count;
    uint32_t count = 0, text_before = batch->text_bytes;
    uint64_t seen = 0;
    if (record_attrs(record) > GBW_ATTRS_MAX)
        return -EPROTO;
    for (uint32_t i = 0; i < record_attrs(record); i++) {
        struct gb_event_attr *attr = &attrs[count];
        uint32_t id;
        int error = i < GBW_ATTRS_INLINE ? inline_attr(record, i, &stream, batch, &id, &attr->value)
                                         : further_attr(&stream, batch, &id, &attr->value);
        const struct name_ref *name = error ? NULL : key_of(segment, paths, id);
        if (!name) {
            batch->text_bytes = text_before;
            return -EPROTO;
        }
        attr->key = name->key;
        count = settle_newest(attrs, count, &seen);
        if (name->error_key)
            event->flags |= GB_EVENT_FAILED;
    }
    batch->attr_count += count;
    event->attrs = attrs;
    event->attr_count = (uint8_t)count;
    return 0;
}
