/* SPDX-License-Identifier: MIT */
/*
 * See names.h: what is a name and what is refused, the once of a site, and the lock around an addition to the tables.
 */
#include "lib/names.h"

#include <string.h>

#include "lib/process.h"
#include "lib/say.h"
#include "lib/slow.h"
#include "lib/tables.h"
#include "lib/text.h"

/* Around an addition. In the child of a fork, before it has a segment, or of a vfork: not now. */
static bool add_begin(struct slow *slow)
{
    slow_begin(slow);
    if (process_ready() == 0 && slow_lock())
        return true;
    slow_end(slow);
    return false;
}

static void add_end(const struct slow *slow)
{
    slow_unlock();
    slow_end(slow);
}

/* lowercase dotted: [a-z][a-z0-9_]* joined by dots */
static bool is_strict(const char *text, size_t length)
{
    bool start = true;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool lower = c >= 'a' && c <= 'z', further = (c >= '0' && c <= '9') || c == '_' || c == '.';
        if (!lower && (start || !further))
            return false;
        start = c == '.';
    }
    return !start;
}

/* Into `clean`, GBW_NAME_LENGTH_MAX bytes. 0: refused. */
static size_t clean_name(char *clean, const char *text, size_t length)
{
    static uint32_t said;
    if (length == 0 || length > GBW_NAME_LENGTH_MAX)
        return 0;
    size_t n = text_clean(clean, GBW_NAME_LENGTH_MAX, text, length);
    if (!gb_process.strict_scopes || is_strict(clean, n))
        return n;
    if (first_time(&said)) {
        char shown[GBW_NAME_LENGTH_MAX + 1];
        memcpy(shown, clean, n);
        shown[n] = '\0';
        struct slow slow;
        slow_begin(&slow);
        say("the name %s is refused by strict scopes, and so are others like it; accepted: [a-z][a-z0-9_]* joined by "
            "dots",
            shown);
        slow_end(&slow);
    }
    return 0;
}

static uint32_t name_id(const char *text, size_t length)
{
    char clean[GBW_NAME_LENGTH_MAX];
    struct slow slow;
    size_t n = clean_name(clean, text, length);
    if (n == 0)
        return NAME_BAD;
    uint32_t id = tables_name(clean, n);
    if (id)
        return id;
    if (!add_begin(&slow))
        return NAME_BUSY;
    id = tables_add_name(clean, n);
    add_end(&slow);
    return id;
}

uint32_t names_of(struct gb_name *name)
{
    uint32_t id = __atomic_load_n(&name->id, __ATOMIC_RELAXED);
    if (id)
        return id;
    id = name_id(name->text, strnlen(name->text, GBW_NAME_LENGTH_MAX + 1));
    if (id != NAME_BUSY)
        __atomic_store_n(&name->id, id, __ATOMIC_RELEASE);
    return id;
}

uint32_t names_path(uint32_t parent, uint32_t name)
{
    struct slow slow;
    if (name == NAME_OVERFLOW) /* counted already */
        return GBW_OVERFLOW_PATH;
    uint32_t id = tables_path(parent, name);
    if (id)
        return id;
    if (!add_begin(&slow))
        return NAME_BUSY;
    id = tables_add_path(parent, name);
    add_end(&slow);
    return id;
}

uint32_t names_key(struct gb_key *key)
{
    char clean[GBW_NAME_LENGTH_MAX];
    struct slow slow;
    size_t length = strnlen(key->text, GBW_NAME_LENGTH_MAX + 1), n = 0;
    uint32_t id = __atomic_load_n(&key->id, __ATOMIC_RELAXED);

    if (id)
        return id;
    if (length > 0 && length <= GBW_NAME_LENGTH_MAX)
        n = text_clean(clean, sizeof clean, key->text, length);
    id = n ? tables_key(clean, n) : GBW_OVERFLOW_KEY;
    if (!id) {
        if (!add_begin(&slow))
            return NAME_BUSY;
        id = tables_add_key(clean, n);
        add_end(&slow);
    }
    if (tables_key_is_secret(id))
        id |= NAME_SECRET;
    __atomic_store_n(&key->id, id, __ATOMIC_RELEASE);
    return id;
}

const struct gb_name *names_runtime(const char *text, size_t length)
{
    uint32_t id = name_id(text, length);
    return id == NAME_BAD || id == NAME_BUSY ? NULL : tables_runtime(id);
}
