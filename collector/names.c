/* SPDX-License-Identifier: MIT */
/* See names.h. */
#include "collector/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/words.h"

#define FIRST_ROOM 64u

/* A broken entry stays empty. */
static int mirror_entry(const struct segment *segment, struct paths *paths, uint32_t id, struct name_ref *ret_ref)
{
    struct name_ref ref = {0};
    struct gbw_name name;
    char text[GBW_NAME_LENGTH_MAX];
    words_copy(&name, segment->meta + segment->names_offset + (uint64_t)id * segment->name_entry_bytes, sizeof(name));
    *ret_ref = ref;
    if (name.length == 0 || name.length > GBW_NAME_LENGTH_MAX || name.text > segment->text_capacity ||
        name.length > segment->text_capacity - name.text)
        return 0;
    memcpy(text, segment->meta + segment->text_offset + name.text, name.length);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the copy is what is used */
    if (name.kind == GBW_NAME_KEY) {
        ref.key = paths_key(paths, text, name.length);
        if (!ref.key)
            return -ENOMEM;
        ref.error_key = name.length == 5 && memcmp(text, "error", 5) == 0;
    } else if (name.kind == GBW_NAME_PATH && name.parent < id) {
        const struct gb_path *parent = name.parent == GBW_ROOT ? NULL : segment->names[name.parent].path;
        if (!parent && name.parent != GBW_ROOT)
            return 0;
        ref.path = paths_intern(paths, parent, text, name.length);
        if (!ref.path)
            return -ENOMEM;
    }
    *ret_ref = ref;
    return 0;
}

/* For `count` names: most workers have some dozens, and room for twenty thousand. */
static int make_room(struct segment *segment, uint32_t count)
{
    uint32_t room = segment->names_room ? segment->names_room : FIRST_ROOM;
    if (count <= segment->names_room)
        return 0;
    while (room < count)
        room *= 2;
    struct name_ref *larger = realloc(segment->names, room * sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    segment->names = larger;
    segment->names_room = room;
    return 0;
}

static int begin(struct segment *segment, struct paths *paths)
{
    if (segment->names_capacity < GBW_FIRST_NAME)
        return -EPROTO;
    int error = make_room(segment, GBW_FIRST_NAME);
    if (error)
        return error;
    memset(segment->names, 0, GBW_FIRST_NAME * sizeof(*segment->names));
    /* these two mean the same in every segment, whatever its entries say */
    segment->names[GBW_OVERFLOW_PATH].path = paths_intern(paths, NULL, GBW_OVERFLOW_TEXT, strlen(GBW_OVERFLOW_TEXT));
    segment->names[GBW_OVERFLOW_KEY].key = paths_key(paths, GBW_OVERFLOW_TEXT, strlen(GBW_OVERFLOW_TEXT));
    segment->names_known = GBW_FIRST_NAME;
    return 0;
}

int names_mirror(struct segment *segment, struct paths *paths)
{
    if (segment->names_known == 0) {
        int error = begin(segment, paths);
        if (error)
            return error;
    }
    /* pairs with the worker's release (P4) */
    uint32_t count = __atomic_load_n(&segment->header->name_count, __ATOMIC_ACQUIRE);
    if (count > segment->names_capacity)
        count = segment->names_capacity;
    int error = make_room(segment, count);
    while (segment->names_known < count && !error) {
        error = mirror_entry(segment, paths, segment->names_known, &segment->names[segment->names_known]);
        segment->names_known += !error;
    }
    return error;
}
