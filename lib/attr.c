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

/*
 * A short text, in pieces that do not overlap. A memcpy of at most 120 bytes becomes `rep movs`, which takes longer to start than all of
 * this, and pieces that overlap make whoever reads them at once wait.
 */
static inline void copy_bytes(uint8_t *to, const char *from, uint32_t n)
{
    for (; n >= 8; n -= 8, to += 8, from += 8)
        memcpy(to, from, 8);
    if (n & 4) {
        memcpy(to, from, 4);
        to += 4;
        from += 4;
    }
    if (n & 2) {
        memcpy(to, from, 2);
        to += 2;
        from += 2;
    }
    if (n & 1)
        *to = (uint8_t)*from;
}

/* The first four bytes of an entry, in one store: the drain's copy of them reads as much at once. */
static inline uint8_t *put_entry(uint8_t *to, uint32_t key, uint32_t type, uint32_t n)
{
    uint32_t first = key | type << 16 | n << 24;
    memcpy(to, &first, sizeof first);
    return to + sizeof first;
}

/* A draft that nobody sees yet, its words 0 and 4 and the end of its extension in registers. */
struct writing {
    uint64_t *word, head, keys;
    uint8_t *to, *end;
    uint32_t index;
};

static inline void write_inline(struct writing *w, uint32_t key, uint32_t type, uint64_t value)
{
    w->word[5 + w->index] = value;
    w->keys |= (uint64_t)key << (16 + 16 * w->index);
    w->head |= (uint64_t)type << (24 + 2 * w->index);
}

static inline bool write_number(struct writing *w, uint32_t key, const struct gb_attr *attr)
{
    if (w->index < GBW_ATTRS_INLINE) {
        write_inline(w, key, attr->type, attr->as.u);
        return true;
    }
    if (unlikely(w->end - w->to < 12))
        return false;
    w->to = put_entry(w->to, key, attr->type, 8);
    memcpy(w->to, &attr->as.u, 8);
    w->to += 8;
    return true;
}

static inline bool write_special(struct writing *w, uint32_t key, const struct gb_attr *attr)
{
    uint64_t value = attr->type == GB_ATTR_TEXT_ ? GBW_TEXT : attr->as.u ? GBW_TRUE : GBW_FALSE;
    uint32_t n = 0;
    if (value == GBW_TEXT) {
        if (unlikely(!attr->as.text))
            return false;
        n = (uint32_t)strnlen(attr->as.text, GBW_STRING_MAX + 1);
    }
    if (unlikely(n > GBW_STRING_MAX || w->end - w->to < n + 4))
        return false;
    if (w->index < GBW_ATTRS_INLINE)
        write_inline(w, key, GBW_SPECIAL, value | (uint64_t)n << 8);
    else
        w->to = put_entry(w->to, key, GBW_SPECIAL + 1 + (uint32_t)value, n);
    copy_bytes(w->to, attr->as.text, n);
    w->to += n;
    return true;
}

/* The usual ones: the key is known and no secret, and all of it fits. */
static inline bool write_usual(struct writing *w, const struct gb_attr *attr)
{
    uint32_t key = __atomic_load_n(&attr->key->id, __ATOMIC_RELAXED);
    if (unlikely(!attr_key_is_usual(key) || w->index >= GBW_ATTRS_MAX) ||
        !(attr->type <= GB_ATTR_DOUBLE_ ? write_number(w, key, attr) : write_special(w, key, attr)))
        return false;
    w->head += 1u << 8;
    w->index++;
    return true;
}

static inline void write_back(const struct writing *w, struct draft *draft)
{
    draft->word[0] = w->head;
    draft->word[4] = w->keys;
    draft->length = (uint32_t)(w->to - draft->ext);
}

static inline struct writing write_from(const struct draft *draft)
{
    return (struct writing){.word = draft->word,
                            .head = draft->word[0],
                            .keys = draft->word[4],
                            .to = draft->ext + draft->length,
                            .end = draft->ext + draft->room,
                            .index = draft_count(draft)};
}

void attrs_write(struct draft *draft, const struct gb_attr *attrs, uint32_t count)
{
    struct writing w = write_from(draft);
    for (uint32_t i = 0; i < count; i++) {
        if (likely(write_usual(&w, &attrs[i])))
            continue;
        write_back(&w, draft);
        append(draft, &attrs[i]);
        w = write_from(draft);
    }
    write_back(&w, draft);
}
