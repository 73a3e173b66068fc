/* SPDX-License-Identifier: MIT */
/* See attr.h. */
#include "lib/attr.h"

#include <string.h>

#include "lib/names.h"
#include "lib/process.h"
#include "lib/ring.h"
#include "lib/text.h"

/* What an attribute comes to on the wire. */
struct encoded {
    uint64_t value;   /* number, or enum gbw_special (and length << 8) */
    uint32_t type;    /* enum gbw_type */
    uint32_t length;  /* of text */
    const char *text; /* NULL: no text */
};

static inline struct encoded encode(const struct gb_attr *attr, uint32_t key)
{
    struct encoded out = {.value = attr->as.u, .type = attr->type};
    if (likely(attr->type <= GB_ATTR_DOUBLE_ && !(key & NAME_SECRET)))
        return out;
    out.type = GBW_SPECIAL;
    if (key & NAME_SECRET) {
        out.value = GBW_REDACTED;
    } else if (attr->type == GB_ATTR_BOOL_) {
        out.value = attr->as.u ? GBW_TRUE : GBW_FALSE;
    } else if (!attr->as.text) {
        out.value = GBW_NULL;
    } else {
        out.text = attr->as.text;
        out.length = (uint32_t)text_cut(out.text, strnlen(out.text, GBW_STRING_MAX + 1), GBW_STRING_MAX);
        out.value = GBW_TEXT;
    }
    return out;
}

static void left_out(void)
{
    __atomic_fetch_add(&gb_process.header->attributes_left_out, 1, __ATOMIC_RELAXED);
}

/* Cuts a text to the room there is. */
static uint32_t fit(const struct draft *draft, const struct encoded *in, uint32_t before)
{
    uint32_t left = draft->room - draft->length - before;
    if (likely(in->length <= left))
        return in->length;
    left_out();
    return (uint32_t)text_cut(in->text, in->length, left);
}

static void append_text(struct draft *draft, const struct encoded *in, uint32_t length)
{
    memcpy(draft->ext + draft->length, in->text, length);
    draft->length += length;
}

static void append_inline(struct draft *draft, uint32_t index, uint32_t key, const struct encoded *in)
{
    uint64_t value = in->value;
    if (in->text) {
        uint32_t length = fit(draft, in, 0);
        value |= (uint64_t)length << 8;
        append_text(draft, in, length);
    }
    draft->word[5 + index] = value;
    draft->word[4] |= (uint64_t)(key & 0xffff) << (16 + 16 * index);
    signal_fence();
    draft->word[0] = (draft->word[0] | (uint64_t)in->type << (24 + 2 * index)) + (1u << 8);
}

/* key u16 | type u8 | n u8 | n bytes */
static void append_entry(struct draft *draft, uint32_t key, const struct encoded *in)
{
    uint32_t n = in->type == GBW_SPECIAL ? 0 : 8;
    if (draft->room - draft->length < 4 + n) {
        left_out();
        return;
    }
    if (in->text)
        n = fit(draft, in, 4);
    uint8_t *entry = draft->ext + draft->length;
    uint16_t id = (uint16_t)key;
    memcpy(entry, &id, sizeof id);
    entry[2] = (uint8_t)(in->type == GBW_SPECIAL ? GBW_SPECIAL + 1 + in->value : in->type);
    entry[3] = (uint8_t)n;
    draft->length += 4;
    if (in->text) {
        append_text(draft, in, n);
    } else {
        memcpy(entry + 4, &in->value, n);
        draft->length += n;
    }
    signal_fence();
    draft->word[0] += 1u << 8;
}

/* One attribute, whatever it is. */
static void append(struct draft *draft, const struct gb_attr *attr)
{
    uint32_t index = draft_count(draft), key = __atomic_load_n(&attr->key->id, __ATOMIC_RELAXED);
    if (key == 0)
        key = names_key(attr->key);
    if (key == NAME_BUSY || key == GBW_OVERFLOW_KEY || index >= GBW_ATTRS_MAX) {
        left_out();
        return;
    }
    struct encoded in = encode(attr, key);
    if (index < GBW_ATTRS_INLINE)
        append_inline(draft, index, key, &in);
    else
        append_entry(draft, key, &in);
}

void attrs_append(struct draft *draft, const struct gb_attr *attrs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        append(draft, &attrs[i]);
}
