/* SPDX-License-Identifier: MIT */
/*
 * See tables.h. The private copy of the shared entries and of their text is what look-ups compare with: what stands in shared memory is
 * never read back.
 *
 * Look-up and addition: an entry is filled in, then its id is stored into a hash slot (release), which pairs with the
 * acquire in the look-up. Nothing is ever removed.
 */
#include "lib/tables.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/config.h"
#include "lib/names.h"
#include "lib/process.h"
#include "lib/redact.h"
#include "lib/text.h"

#define TEXTS_MAX GBW_PATHS_MAX
#define PATH_TEXT_MAX (GBW_TEXT_MAX / 4 * 3) /* the rest is for keys */

/* Powers of two, twice what they ever hold. */
#define NAME_SLOTS (2 * TEXTS_MAX)
#define PATH_SLOTS (2 * GBW_PATHS_MAX)
#define KEY_SLOTS (2 * GBW_KEYS_MAX)

struct name_text {
    uint32_t at, length;
};

static struct tables {
    uint32_t name_slot[NAME_SLOTS], path_slot[PATH_SLOTS], key_slot[KEY_SLOTS];
    struct name_text name[TEXTS_MAX];     /* by name id */
    struct gb_name runtime[TEXTS_MAX];    /* the same */
    struct gbw_name entry[GBW_NAMES_MAX]; /* as in the segment, below `entries` */
    uint32_t entry_name[GBW_NAMES_MAX];   /* of a path: its name id */
    char text[GBW_TEXT_MAX];              /* as in the segment; a zero after each */
    /* written under the slow lock */
    uint32_t names, paths, keys, entries, text_used;
} * tables;

static uint32_t hash_text(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t hash_pair(uint32_t parent, uint32_t name)
{
    return (uint32_t)(((uint64_t)parent << 32 | name) * 0x9e3779b97f4a7c15u >> 32);
}

static bool same_text(uint32_t at, uint32_t entry_length, const char *text, size_t length)
{
    return entry_length == length && memcmp(tables->text + at, text, length) == 0;
}

/* One of the three tables: where an id is found, or the empty slot for it. */
struct place {
    uint32_t *slot;
    uint32_t id; /* 0: not there */
};

static struct place find_name(const char *text, size_t length)
{
    for (uint32_t i = hash_text(text, length);; i++) {
        uint32_t *slot = &tables->name_slot[i % NAME_SLOTS];
        uint32_t id = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        if (!id || same_text(tables->name[id].at, tables->name[id].length, text, length))
            return (struct place){slot, id};
    }
}

static struct place find_key(const char *text, size_t length)
{
    for (uint32_t i = hash_text(text, length);; i++) {
        uint32_t *slot = &tables->key_slot[i % KEY_SLOTS];
        uint32_t id = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        if (!id || same_text(tables->entry[id].text, tables->entry[id].length, text, length))
            return (struct place){slot, id};
    }
}

static struct place find_path(uint32_t parent, uint32_t name)
{
    for (uint32_t i = hash_pair(parent, name);; i++) {
        uint32_t *slot = &tables->path_slot[i % PATH_SLOTS];
        uint32_t id = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        if (!id || (tables->entry[id].parent == parent && tables->entry_name[id] == name))
            return (struct place){slot, id};
    }
}

/* Brings a segment up to `entries` entries and all text: bytes, then entries, then the count (release; pairs with the
 * collector's acquire). */
static int carry(struct segment *segment, uint32_t entries)
{
    struct gbw_header *header = segment->header;
    uint32_t have = header->name_count;
    int error = segment_reserve(segment, &segment->text_table, tables->text_used);
    if (!error)
        error = segment_reserve(segment, &segment->name_table, (uint64_t)entries * sizeof(struct gbw_name));
    if (error)
        return error;
    memcpy(segment->text + segment->text_filled, tables->text + segment->text_filled,
           tables->text_used - segment->text_filled);
    segment->text_filled = tables->text_used;
    header->text_bytes = tables->text_used;
    if (have < entries)
        memcpy(segment->names + have, tables->entry + have, (entries - have) * sizeof(struct gbw_name));
    __atomic_store_n(&header->name_count, entries, __ATOMIC_RELEASE);
    return 0;
}

int names_carry(struct segment *segment)
{
    return carry(segment, tables->entries);
}

uint32_t names_entries(void)
{
    return tables ? tables->entries : 0;
}

uint32_t names_text(void)
{
    return tables->text_used;
}

/* Counts a name that goes to (overflow), and keeps it if it is one of the first. Under the slow lock. */
static void note_overflow(const char *text, size_t length)
{
    struct gbw_header *header = gb_process.header;
    char kept[sizeof header->offenders[0]] = {0};

    __atomic_fetch_add(&header->names_overflowed, 1, __ATOMIC_RELAXED);
    memcpy(kept, text, text_cut(text, length, sizeof kept - 1));
    for (unsigned i = 0; i < sizeof header->offenders / sizeof *header->offenders; i++) {
        if (memcmp(header->offenders[i], kept, sizeof kept) == 0)
            return;
        if (!header->offenders[i][0]) {
            memcpy(header->offenders[i], kept, sizeof kept);
            return;
        }
    }
}

/* The bytes, with a zero after them. false: beyond the budget. */
static bool add_text(const char *text, size_t length, uint32_t most, uint32_t *ret_at)
{
    uint32_t at = tables->text_used;
    if (at + length + 1 > most)
        return false;
    memcpy(tables->text + at, text, length);
    tables->text[at + length] = '\0';
    tables->text_used = at + (uint32_t)length + 1;
    *ret_at = at;
    return true;
}

/* A shared entry: into every segment of the process, then into the private count. false: beyond the budget, or no space. */
static bool add_entry(const struct gbw_name *entry, uint32_t name)
{
    uint32_t id = tables->entries;
    tables->entry[id] = *entry;
    tables->entry_name[id] = name;
    for (uint32_t i = 0; i < gb_process.segment_count; i++) {
        struct segment *segment = &gb_process.segments[i];
        if (segment->frozen || carry(segment, id + 1) == 0)
            continue;
        if (segment == process_segment())
            return false;
        segment->frozen = true;
    }
    __atomic_store_n(&tables->entries, id + 1, __ATOMIC_RELEASE);
    return true;
}

uint32_t tables_add_name(const char *text, size_t length)
{
    struct place place = find_name(text, length);
    uint32_t at, id = tables->names;

    if (place.id)
        return place.id;
    if (id >= TEXTS_MAX || !add_text(text, length, PATH_TEXT_MAX, &at)) {
        note_overflow(text, length);
        return NAME_OVERFLOW;
    }
    tables->name[id] = (struct name_text){at, (uint32_t)length};
    tables->runtime[id] = (struct gb_name){tables->text + at, id};
    tables->names = id + 1;
    __atomic_store_n(place.slot, id, __ATOMIC_RELEASE);
    return id;
}

uint32_t tables_add_path(uint32_t parent, uint32_t name)
{
    struct place place = find_path(parent, name);
    const struct name_text *text = &tables->name[name];
    struct gbw_name entry = {
        .text = text->at, .length = (uint16_t)text->length, .kind = GBW_NAME_PATH, .parent = parent};
    uint32_t id = tables->entries;

    if (place.id)
        return place.id;
    if (parent == GBW_OVERFLOW_PATH || tables->paths >= GBW_PATHS_MAX || !add_entry(&entry, name)) {
        note_overflow(tables->text + text->at, text->length);
        return GBW_OVERFLOW_PATH;
    }
    tables->paths++;
    __atomic_store_n(place.slot, id, __ATOMIC_RELEASE);
    return id;
}

uint32_t tables_add_key(const char *text, size_t length)
{
    struct place place = find_key(text, length);
    struct gbw_name entry = {.length = (uint16_t)length, .kind = GBW_NAME_KEY};
    uint32_t id = tables->entries;

    if (place.id)
        return place.id;
    if (redact_key(text, length, gb_settings.secrets))
        entry.flags = GBW_KEY_SECRET;
    if (tables->keys >= GBW_KEYS_MAX || !add_text(text, length, GBW_TEXT_MAX, &entry.text) || !add_entry(&entry, 0)) {
        note_overflow(text, length);
        return GBW_OVERFLOW_KEY;
    }
    tables->keys++;
    __atomic_store_n(place.slot, id, __ATOMIC_RELEASE);
    return id;
}

int names_start(void)
{
    static const char overflow[] = GBW_OVERFLOW_TEXT;
    void *map = mmap(NULL, sizeof *tables, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return -errno;
    tables = map;
    tables->names = NAME_OVERFLOW;
    tables->paths = 2; /* the root and (overflow) */
    tables->keys = 1;
    uint32_t id = tables_add_name(overflow, sizeof overflow - 1);
    struct gbw_name entry = {.text = tables->name[id].at, .length = sizeof overflow - 1, .kind = GBW_NAME_PATH};
    tables->entry[GBW_OVERFLOW_PATH] = entry;
    tables->entry_name[GBW_OVERFLOW_PATH] = id;
    entry.kind = GBW_NAME_KEY;
    tables->entry[GBW_OVERFLOW_KEY] = entry;
    tables->entries = GBW_FIRST_NAME;
    return 0;
}

uint32_t tables_name(const char *text, size_t length)
{
    return find_name(text, length).id;
}

uint32_t tables_path(uint32_t parent, uint32_t name)
{
    return find_path(parent, name).id;
}

uint32_t tables_key(const char *text, size_t length)
{
    return find_key(text, length).id;
}

bool tables_key_is_secret(uint32_t key)
{
    return tables->entry[key].flags & GBW_KEY_SECRET;
}

const struct gb_name *tables_runtime(uint32_t name)
{
    return &tables->runtime[name];
}
