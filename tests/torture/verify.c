/* SPDX-License-Identifier: MIT */
/* See verify.h. Runs for each event, millions a second: the common shapes need three attributes and a name. */
#include "tests/torture/verify.h"

#include <string.h>

#define TEXT_BYTES 120u /* where the library cuts a text */
#define HUGE_ATTRS 16u

const char verify_bare[] = "attributes are missing";

struct expected {
    uint8_t kind; /* enum gb_event_kind */
    uint8_t attrs;
    const char *name; /* NULL: made at run time */
};

static const struct expected expected[SHAPES] = {
    [SHAPE_COUNT] = {GB_EVENT_COUNTER, 3, "count"},   [SHAPE_GAUGE] = {GB_EVENT_GAUGE, 3, "gauge"},
    [SHAPE_SAMPLE] = {GB_EVENT_SAMPLE, 3, "sample"},  [SHAPE_SCOPE] = {GB_EVENT_TIMING, 3, "scope"},
    [SHAPE_TEXT] = {GB_EVENT_COUNTER, 6, "text"},     [SHAPE_HUGE] = {GB_EVENT_GAUGE, HUGE_ATTRS, "huge"},
    [SHAPE_NAME] = {GB_EVENT_COUNTER, 3, NULL},       [SHAPE_SPAN] = {GB_EVENT_TIMING, 3, NULL},
    [SHAPE_TIMING] = {GB_EVENT_TIMING, 3, NULL},      [SHAPE_BAD_VALUE] = {UINT8_MAX, 3, "bad_value"},
    [SHAPE_ABANDONED] = {GB_EVENT_TIMING, 3, "left"},
};

static bool read_tag(const struct gb_event *event, uint32_t at, char key, uint64_t *ret_value)
{
    const struct gb_event_attr *attr = &event->attrs[at];
    *ret_value = attr->value.as.u;
    return attr->key->text[0] == key && attr->key->length == 1 && attr->value.type == GB_VALUE_UINT;
}

static bool text_is(const struct gb_event_value *value, uint32_t length, char byte)
{
    if (value->type != GB_VALUE_TEXT || value->length != (length < TEXT_BYTES ? length : TEXT_BYTES))
        return false;
    for (uint32_t i = 0; i < value->length; i++) {
        if (value->as.text[i] != byte)
            return false;
    }
    return true;
}

static bool texts_are_right(const struct gb_event *event, const struct tags *tags)
{
    for (uint32_t t = 3; t < event->attr_count; t++) {
        bool huge = tags->shape == SHAPE_HUGE;
        uint32_t length = huge ? TEXT_BYTES : book_text_length(tags->i, t - 3);
        if (!text_is(&event->attrs[t].value, length, huge ? 'x' : book_text_byte(tags->i, t - 3)))
            return false;
    }
    return true;
}

static bool value_is_right(const struct gb_event *event, const struct tags *tags)
{
    const struct gb_event_value *value = &event->as.value;
    switch (tags->shape) {
    case SHAPE_COUNT:
        return value->type == GB_VALUE_UINT && value->as.u == (tags->i & 0xffff);
    case SHAPE_NAME:
        return value->type == GB_VALUE_INT && value->as.i == (int64_t)(tags->i & 0xffff);
    case SHAPE_GAUGE:
        return value->type == GB_VALUE_DOUBLE && !(value->as.d < (double)tags->i * 0.5) &&
               !(value->as.d > (double)tags->i * 0.5);
    case SHAPE_SAMPLE:
        return value->type == GB_VALUE_DOUBLE && (uint64_t)value->as.d == tags->i % 1000;
    case SHAPE_TIMING:
        return event->start_mono_ns == 1000 && (uint64_t)event->as.duration_ns == tags->i % 1000000;
    case SHAPE_SCOPE:
    case SHAPE_SPAN:
        return event->as.duration_ns >= 0;
    default:
        return true;
    }
}

static bool name_is(const struct gb_path *path, const char *name)
{
    return strcmp(path->name, name) == 0;
}

static bool name_is_right(const struct book *book, const struct gb_event *event, const struct tags *tags)
{
    const char *name = expected[tags->shape].name;
    if (name ? name_is(event->path, name) : strncmp(event->path->name, "named.", 6) == 0)
        return true;
    if (tags->shape == SHAPE_SCOPE && name_is(event->path, "finds"))
        return true;
    uint32_t process = book->stream[tags->stream].process;
    return (book->process[process].traits & TRAIT_NAMES) && name_is(event->path, "(overflow)");
}

const char *verify_event(const struct book *book, const struct gb_event *event, struct tags *ret_tags)
{
    uint64_t check;
    *ret_tags = (struct tags){0};
    if (event->attr_count < 3 || !read_tag(event, 0, 's', &ret_tags->stream) ||
        !read_tag(event, 1, 'i', &ret_tags->i) || !read_tag(event, 2, 'c', &check))
        return verify_bare;
    ret_tags->shape = check & 0xff;
    if (ret_tags->stream >= BOOK_STREAMS || ret_tags->shape >= SHAPES ||
        check != book_check(ret_tags->stream, ret_tags->i, ret_tags->shape))
        return "its tags do not fit together";
    const struct expected *what = &expected[ret_tags->shape];
    if (event->attr_count < what->attrs)
        return verify_bare;
    if (event->kind != what->kind || event->attr_count != what->attrs)
        return "another kind, or number of attributes";
    if (((event->flags & GB_EVENT_ABANDONED) != 0) != (ret_tags->shape == SHAPE_ABANDONED))
        return "abandoned, or not";
    if (!value_is_right(event, ret_tags))
        return "another value";
    if (!name_is_right(book, event, ret_tags))
        return "another name";
    if (event->attr_count > 3 && !texts_are_right(event, ret_tags))
        return "another text";
    return NULL;
}
