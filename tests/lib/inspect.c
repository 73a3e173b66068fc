/* SPDX-License-Identifier: MIT */
/* See inspect.h. */
#include "tests/lib/inspect.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/process.h"

static char directory[64];
static uint64_t cursor[GBW_RINGS_MAX];
static bool started[GBW_RINGS_MAX];
static uint8_t *mapped_ring[GBW_RINGS_MAX];

void inspect_begin(void)
{
    strcpy(directory, "/dev/shm/gb-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
    setenv("GEMINI_BATCH_TELEMETRY_DIR", directory, 1);
}

void inspect_end(void)
{
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(directory);
}

const char *inspect_directory(void)
{
    return directory;
}

const struct gbw_header *inspect_header(void)
{
    assert_non_null(gb_process.header);
    return gb_process.header;
}

uint32_t inspect_rings(void)
{
    return __atomic_load_n(&inspect_header()->ring_count, __ATOMIC_ACQUIRE);
}

static uint8_t *ring_base(uint32_t ring)
{
    const struct gbw_ring_entry *entry = &process_segment()->rings[ring];
    assert_true(ring < inspect_rings());
    if (!mapped_ring[ring]) {
        char path[256];
        snprintf(path, sizeof path, "/proc/self/fd/%d", process_segment()->fd);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        mapped_ring[ring] = mmap(NULL, GBW_RING_OVERHEAD + (size_t)entry->slots * GBW_SLOT, PROT_READ | PROT_WRITE,
                                 MAP_SHARED, fd, (off_t)entry->offset);
        assert_true(mapped_ring[ring] != MAP_FAILED);
        /* closing it drops this process's record locks on the file: nothing here depends on them */
        close(fd);
    }
    return mapped_ring[ring];
}

const struct gbw_producer *inspect_producer(uint32_t ring)
{
    return (const struct gbw_producer *)ring_base(ring);
}

void inspect_path(uint32_t id, char *ret_text, uint32_t size)
{
    const struct gbw_name *name = &process_segment()->names[id];
    char parent[1024] = "";
    assert_true(id < inspect_header()->name_count);
    assert_true(id != 0 && name->kind == GBW_NAME_PATH && name->parent < id);
    if (name->parent) {
        inspect_path(name->parent, parent, sizeof parent - 1);
        strcat(parent, ".");
    }
    snprintf(ret_text, size, "%s%.*s", parent, name->length, process_segment()->text + name->text);
}

static void attr_key(struct seen_attr *attr, uint32_t id)
{
    const struct gbw_name *name = &process_segment()->names[id];
    assert_true(id < inspect_header()->name_count && name->kind == GBW_NAME_KEY);
    snprintf(attr->key, sizeof attr->key, "%.*s", name->length, process_segment()->text + name->text);
}

static void take_text(struct seen_attr *attr, const uint8_t **ext, const uint8_t *end, uint32_t length)
{
    assert_true(*ext + length <= end);
    memcpy(attr->text, *ext, length);
    attr->text[length] = '\0';
    *ext += length;
}

static void decode(struct seen *out, const uint64_t word[8], const uint8_t *ext, uint32_t ext_length)
{
    const uint8_t *end = ext + ext_length;
    out->kind = word[0] & 0xff;
    out->count = word[0] >> 8 & 0xff;
    out->flags = word[0] >> 16 & 0xff;
    inspect_path((uint32_t)(word[0] >> 32), out->path, sizeof out->path);
    out->start = word[1];
    out->value = word[2];
    out->call = (uint32_t)word[3];
    out->parent_call = (uint32_t)(word[3] >> 32);
    out->root = word[4] & 0xffff;
    assert_true(out->count <= GBW_ATTRS_MAX);
    for (uint32_t i = 0; i < out->count; i++) {
        struct seen_attr *attr = &out->attr[i];
        if (i < GBW_ATTRS_INLINE) {
            attr_key(attr, word[4] >> (16 + 16 * i) & 0xffff);
            attr->type = word[0] >> (24 + 2 * i) & 3;
            attr->value = word[5 + i];
            if (attr->type == GBW_SPECIAL && (attr->value & 0xff) == GBW_TEXT) {
                take_text(attr, &ext, end, attr->value >> 8 & 0xff);
                attr->value = GBW_TEXT;
            }
            continue;
        }
        uint16_t key;
        assert_true(ext + 4 <= end);
        memcpy(&key, ext, sizeof key);
        attr_key(attr, key);
        uint32_t type = ext[2], n = ext[3];
        ext += 4;
        assert_true(ext + n <= end);
        if (type <= GBW_DOUBLE) {
            attr->type = type;
            memcpy(&attr->value, ext, 8);
            ext += 8;
        } else {
            attr->type = GBW_SPECIAL;
            attr->value = type - GBW_SPECIAL - 1;
            take_text(attr, &ext, end, n);
        }
    }
}

bool inspect_next(uint32_t ring, struct seen *ret_seen)
{
    uint8_t *base = ring_base(ring);
    const struct gbw_producer *producer = (const struct gbw_producer *)base;
    struct gbw_consumer *consumer = (struct gbw_consumer *)(base + GBW_PAGE + GBW_ARENA_BYTES);
    const struct gbw_record *slots = (const struct gbw_record *)(base + GBW_RING_OVERHEAD);
    uint64_t mask = process_segment()->rings[ring].slots - 1, tail = __atomic_load_n(&producer->tail, __ATOMIC_ACQUIRE);
    uint8_t ext[GBW_MORE_MAX * GBW_MORE_BYTES];
    uint32_t ext_length = 0;

    if (!started[ring]) {
        cursor[ring] = consumer->head;
        started[ring] = true;
    }
    if (cursor[ring] == tail)
        return false;
    memset(ret_seen, 0, sizeof *ret_seen);
    ret_seen->ring = ring;
    ret_seen->seq = cursor[ring];
    const struct gbw_record *record = &slots[cursor[ring]++ & mask];
    uint8_t kind = *(const uint8_t *)record;
    ret_seen->kind = kind;
    if (kind == GBW_LOST)
        memcpy(ret_seen->lost, ((const struct gbw_lost *)record)->count, sizeof ret_seen->lost);
    else if (kind == GBW_LEASE) {
        const struct gbw_lease *lease = (const struct gbw_lease *)record;
        ret_seen->tid = lease->tid;
        ret_seen->again = lease->again;
        ret_seen->lease = lease->number;
        ret_seen->events = lease->events;
    } else {
        assert_in_range(kind, GBW_TIMING, GBW_SAMPLE);
        for (uint32_t i = 1; cursor[ring] != tail; i++) {
            const struct gbw_more *more = (const struct gbw_more *)&slots[cursor[ring] & mask];
            if (more->kind != GBW_MORE)
                break;
            assert_int_equal(more->index, i);
            memcpy(ext + ext_length, more->bytes, GBW_MORE_BYTES);
            ext_length += GBW_MORE_BYTES;
            cursor[ring]++;
        }
        decode(ret_seen, record->word, ext, ext_length);
    }
    __atomic_store_n(&consumer->head, cursor[ring], __ATOMIC_RELEASE);
    return true;
}

bool inspect_at(uint32_t ring, uint64_t seq)
{
    const uint8_t *slots = ring_base(ring) + GBW_RING_OVERHEAD;
    cursor[ring] = seq;
    started[ring] = true;
    return slots[(seq & (process_segment()->rings[ring].slots - 1)) * GBW_SLOT] != GBW_MORE;
}

struct seen inspect_event(uint32_t ring)
{
    struct seen seen;
    do
        assert_true(inspect_next(ring, &seen));
    while (seen.kind == GBW_LEASE || seen.kind == GBW_LOST);
    return seen;
}

void inspect_skip(uint32_t ring)
{
    struct seen seen;
    while (inspect_next(ring, &seen))
        ;
}

struct seen inspect_frame(uint32_t ring, uint32_t index)
{
    const struct gbw_producer *producer = inspect_producer(ring);
    struct seen seen = {.ring = ring};
    decode(&seen, producer->frame[index].word, ring_base(ring) + GBW_PAGE + producer->ext[index].offset,
           producer->ext[index].length);
    return seen;
}
