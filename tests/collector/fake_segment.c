/* SPDX-License-Identifier: MIT */
/* See fake_segment.h. */
#include "tests/collector/fake_segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#undef NDEBUG /* the checks are the point */
#include <assert.h>

/* Names are few in a test, so their areas are small; each begins at a page. */
#define FAKE_NAMES 4096u
#define FAKE_TEXT (64u << 10)
#define FAKE_RINGS 64u

void fake_end_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

uint64_t fake_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fake_directory_make(struct fake_directory *ret_directory)
{
    const char *inside = getenv("GB_TEST_DIRECTORY");
    int length =
        snprintf(ret_directory->path, sizeof(ret_directory->path), "%s/gb-test-XXXXXX", inside ? inside : "/dev/shm");
    assert((size_t)length < sizeof(ret_directory->path));
    assert(mkdtemp(ret_directory->path));
    ret_directory->fd = open(ret_directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert(ret_directory->fd >= 0);
}

void fake_directory_remove(struct fake_directory *directory)
{
    DIR *files = opendir(directory->path);
    for (struct dirent *file; files && (file = readdir(files));) {
        if (strcmp(file->d_name, ".") && strcmp(file->d_name, "..") && unlinkat(dirfd(files), file->d_name, 0))
            unlinkat(dirfd(files), file->d_name, AT_REMOVEDIR);
    }
    if (files)
        closedir(files);
    if (directory->fd >= 0)
        close(directory->fd);
    rmdir(directory->path);
    directory->fd = -1;
}

static void read_text(const char *path, char *ret_text, size_t capacity)
{
    FILE *file = fopen(path, "re");
    assert(file);
    ret_text[fread(ret_text, 1, capacity - 1, file)] = 0;
    fclose(file);
}

static void fill_identity(struct gbw_header *header)
{
    char text[1024];
    struct stat status;
    read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    unsigned digits = 0;
    for (const char *c = text; *c && digits < 32; c++) {
        unsigned value;
        if (*c == '-' || sscanf((char[]){*c, 0}, "%x", &value) != 1)
            continue;
        header->boot_id[digits / 2] = (uint8_t)((unsigned)header->boot_id[digits / 2] << 4 | value);
        digits++;
    }
    assert(digits == 32);
    if (!stat("/proc/self/ns/pid", &status))
        header->pid_ns = status.st_ino;
    if (!stat("/proc/self/ns/time", &status))
        header->time_ns = status.st_ino;
    read_text("/proc/self/stat", text, sizeof(text));
    unsigned long long start;
    const char *rest = strrchr(text, ')');
    assert(rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                          &start) == 1);
    header->start_time = start;
    header->pid = (uint32_t)getpid();
    header->uid = geteuid();
}

static void fill_header(struct gbw_header *header)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    header->magic = GBW_MAGIC;
    header->major = GBW_MAJOR;
    header->minor = GBW_MINOR;
    header->byte_order = GBW_BYTE_ORDER;
    header->header_bytes = sizeof(struct gbw_header);
    header->name_entry_bytes = sizeof(struct gbw_name);
    header->ring_entry_bytes = sizeof(struct gbw_ring_entry);
    header->slot_bytes = GBW_SLOT;
    header->names_offset = GBW_PAGE;
    header->names_capacity = FAKE_NAMES;
    header->text_offset = header->names_offset + FAKE_NAMES * sizeof(struct gbw_name);
    header->text_capacity = FAKE_TEXT;
    header->rings_offset = header->text_offset + FAKE_TEXT;
    header->rings_capacity = FAKE_RINGS;
    header->clock = GBW_CLOCK_MONOTONIC;
    header->ticks_per_second = 1000000000u;
    header->anchor.mono_ns = (int64_t)fake_now();
    header->anchor.ticks = (uint64_t)header->anchor.mono_ns;
    header->anchor.wall_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
    header->page_bytes = GBW_PAGE;
    header->state = GBW_READY;
    strcpy(header->program, "fake");
    strcpy(header->service, "fake-service");
    fill_identity(header);
}

struct fake_segment *fake_segment_make(int directory_fd, void (*edit)(struct gbw_header *header))
{
    struct fake_segment *segment = calloc(1, sizeof(*segment));
    uint8_t id[16];
    char temporary[64];
    assert(segment);
    assert(getrandom(id, sizeof(id), 0) == sizeof(id));
    for (unsigned i = 0; i < sizeof(id); i++)
        sprintf(segment->id + 2 * i, "%02x", id[i]);
    snprintf(segment->file, sizeof(segment->file), GBW_SEGMENT_PREFIX "%s" GBW_SEGMENT_SUFFIX, segment->id);
    snprintf(temporary, sizeof(temporary), GBW_TEMP_PREFIX "%d-%s", (int)getpid(), segment->id);
    segment->directory_fd = directory_fd;
    segment->fd = openat(directory_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    assert(segment->fd >= 0);

    struct gbw_header probe = {0};
    fill_header(&probe);
    segment->bytes = probe.rings_offset + GBW_PAGE;
    assert(!posix_fallocate(segment->fd, 0, (off_t)segment->bytes));
    segment->map = mmap(NULL, FAKE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd, 0);
    assert(segment->map != MAP_FAILED);
    segment->header = (struct gbw_header *)segment->map;
    *segment->header = probe;
    memcpy(segment->header->segment_id, id, sizeof(id));
    segment->names = (struct gbw_name *)(segment->map + probe.names_offset);
    segment->text = (char *)(segment->map + probe.text_offset);
    segment->entries = (struct gbw_ring_entry *)(segment->map + probe.rings_offset);
    segment->header->name_count = 1; /* the root, all zeros */
    fake_path(segment, GBW_ROOT, GBW_OVERFLOW_TEXT);
    fake_key(segment, GBW_OVERFLOW_TEXT, 0);
    if (edit)
        edit(segment->header);
    assert(!renameat(directory_fd, temporary, directory_fd, segment->file));
    return segment;
}

void fake_segment_unlink(struct fake_segment *segment)
{
    unlinkat(segment->directory_fd, segment->file, 0);
}

void fake_segment_free(struct fake_segment *segment)
{
    if (!segment)
        return;
    munmap(segment->map, FAKE_BYTES);
    close(segment->fd);
    free(segment);
}

void fake_segment_lock(struct fake_segment *segment)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert(!fcntl(segment->fd, F_SETLK, &lock));
}

uint32_t fake_ring_add(struct fake_segment *segment, uint32_t slots, uint64_t bias)
{
    return fake_ring_add_folding(segment, slots, bias, 0);
}

uint32_t fake_ring_add_folding(struct fake_segment *segment, uint32_t slots, uint64_t bias, uint32_t fold_bytes)
{
    uint32_t index = segment->header->ring_count;
    assert(index < FAKE_RINGS);
    uint64_t offset = (segment->bytes + GBW_PAGE - 1) / GBW_PAGE * GBW_PAGE;
    uint64_t bytes = GBW_RING_OVERHEAD + (uint64_t)slots * GBW_SLOT + fold_bytes;
    assert(!posix_fallocate(segment->fd, (off_t)offset, (off_t)bytes));
    segment->bytes = offset + bytes;
    struct fake_ring *ring = &segment->ring[index];
    ring->producer = (struct gbw_producer *)(segment->map + offset);
    ring->arena = segment->map + offset + GBW_PAGE;
    ring->consumer = (struct gbw_consumer *)(segment->map + offset + GBW_PAGE + GBW_ARENA_BYTES);
    ring->slot = segment->map + offset + GBW_RING_OVERHEAD;
    ring->slots = slots;
    ring->fold = ring->slot + (size_t)slots * GBW_SLOT;
    ring->fold_bytes = fold_bytes;
    ring->producer->fold_epoch = fold_bytes ? 1 : 0;
    ring->producer->tail = bias;
    ring->consumer->head = bias;
    ring->producer->leased = 1;
    ring->producer->tid = (uint32_t)getpid();
    segment->entries[index] = (struct gbw_ring_entry){.offset = offset, .slots = slots, .fold_bytes = fold_bytes};
    __atomic_store_n(&segment->header->ring_count, index + 1, __ATOMIC_RELEASE);
    return index;
}

static uint32_t add_name(struct fake_segment *segment, enum gbw_name_kind kind, uint32_t parent, const char *name,
                         uint8_t flags)
{
    uint32_t id = segment->header->name_count;
    size_t length = strlen(name);
    assert(id < FAKE_NAMES && segment->header->text_bytes + length <= FAKE_TEXT);
    memcpy(segment->text + segment->header->text_bytes, name, length);
    segment->names[id] = (struct gbw_name){.text = segment->header->text_bytes,
                                           .length = (uint16_t)length,
                                           .kind = (uint8_t)kind,
                                           .flags = flags,
                                           .parent = parent};
    segment->header->text_bytes += (uint32_t)length;
    __atomic_store_n(&segment->header->name_count, id + 1, __ATOMIC_RELEASE);
    return id;
}

uint32_t fake_path(struct fake_segment *segment, uint32_t parent, const char *name)
{
    return add_name(segment, GBW_NAME_PATH, parent, name, 0);
}

uint32_t fake_key(struct fake_segment *segment, const char *key, uint8_t flags)
{
    return add_name(segment, GBW_NAME_KEY, 0, key, flags);
}

static unsigned append(uint8_t *ext, unsigned at, const void *bytes, size_t length)
{
    assert(at + length <= GBW_EXT_MAX);
    memcpy(ext + at, bytes, length);
    return at + (unsigned)length;
}

unsigned fake_encode(const struct fake_emit *emit, struct gbw_record *ret_record, uint8_t ret_ext[GBW_EXT_MAX])
{
    struct gbw_record record = {{0}};
    unsigned length = 0;
    uint64_t types = 0;
    for (unsigned i = 0; i < emit->attr_count; i++) {
        const struct fake_attr *attr = &emit->attrs[i];
        bool text = attr->type == GBW_SPECIAL && attr->value == GBW_TEXT;
        size_t bytes = text ? strlen(attr->text) : 0;
        if (i < GBW_ATTRS_INLINE) {
            types |= (uint64_t)attr->type << (2 * i);
            record.word[4] |= (uint64_t)attr->key << (16 + 16 * i);
            record.word[5 + i] = attr->value | (uint64_t)bytes << 8;
        } else {
            bool special = attr->type == GBW_SPECIAL;
            uint16_t key = (uint16_t)attr->key;
            uint8_t type = (uint8_t)(special ? GBW_SPECIAL + 1 + attr->value : attr->type);
            uint8_t n = (uint8_t)(special ? bytes : 8);
            length = append(ret_ext, length, &key, 2);
            length = append(ret_ext, length, &type, 1);
            length = append(ret_ext, length, &n, 1);
            if (!special)
                length = append(ret_ext, length, &attr->value, 8);
        }
        if (text)
            length = append(ret_ext, length, attr->text, bytes);
    }
    record.word[0] = (uint64_t)emit->kind | (uint64_t)emit->attr_count << 8 | (uint64_t)emit->flags << 16 |
                     types << 24 | (uint64_t)emit->path << 32;
    record.word[1] = emit->start;
    record.word[2] = emit->value;
    record.word[3] = (uint64_t)emit->call | (uint64_t)emit->parent_call << 32;
    record.word[4] |= emit->root;
    *ret_record = record;
    return length;
}

static void *slot_at(struct fake_ring *ring, uint64_t index)
{
    return ring->slot + (index & (ring->slots - 1)) * GBW_SLOT;
}

bool fake_emit(struct fake_segment *segment, uint32_t index, const struct fake_emit *emit)
{
    struct fake_ring *ring = &segment->ring[index];
    struct gbw_record record;
    uint8_t ext[GBW_EXT_MAX];
    unsigned length = fake_encode(emit, &record, ext);
    unsigned more = (length + GBW_MORE_BYTES - 1) / GBW_MORE_BYTES;
    uint64_t tail = ring->producer->tail;
    __atomic_store_n(&ring->producer->attempted, ring->producer->attempted + 1, __ATOMIC_RELAXED);
    if (tail + 1 + more - __atomic_load_n(&ring->consumer->head, __ATOMIC_ACQUIRE) > ring->slots) {
        __atomic_store_n(&ring->producer->dropped[GBW_RING_FULL], ring->producer->dropped[GBW_RING_FULL] + 1,
                         __ATOMIC_RELEASE);
        return false;
    }
    memcpy(slot_at(ring, tail), &record, sizeof(record));
    for (unsigned i = 0; i < more; i++) {
        struct gbw_more slot = {.kind = GBW_MORE, .index = (uint8_t)(i + 1), .total = (uint8_t)more};
        unsigned rest = length - i * GBW_MORE_BYTES;
        memcpy(slot.bytes, ext + i * GBW_MORE_BYTES, rest < GBW_MORE_BYTES ? rest : GBW_MORE_BYTES);
        memcpy(slot_at(ring, tail + 1 + i), &slot, sizeof(slot));
    }
    __atomic_store_n(&ring->producer->tail, tail + 1 + more, __ATOMIC_RELEASE);
    return true;
}

bool fake_timing(struct fake_segment *segment, uint32_t ring, uint32_t path, uint64_t start, uint64_t duration,
                 uint32_t call)
{
    struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .start = start, .value = duration, .call = call};
    return fake_emit(segment, ring, &emit);
}

bool fake_metric(struct fake_segment *segment, uint32_t ring, enum gbw_kind kind, uint32_t path, int64_t value)
{
    struct fake_emit emit = {
        .kind = (uint8_t)kind, .flags = GBW_INT, .path = path, .start = fake_now(), .value = (uint64_t)value};
    return fake_emit(segment, ring, &emit);
}

void fake_slot(struct fake_segment *segment, uint32_t index, const void *slot)
{
    struct fake_ring *ring = &segment->ring[index];
    uint64_t tail = ring->producer->tail;
    memcpy(slot_at(ring, tail), slot, GBW_SLOT);
    __atomic_store_n(&ring->producer->tail, tail + 1, __ATOMIC_RELEASE);
}

void fake_lease(struct fake_segment *segment, uint32_t ring, uint64_t number, uint32_t tid, const char *thread)
{
    struct gbw_lease lease = {.kind = GBW_LEASE, .tid = tid, .number = number, .anchor = segment->header->anchor};
    snprintf(lease.thread, sizeof(lease.thread), "%s", thread);
    struct gbw_producer *producer = segment->ring[ring].producer;
    producer->lease = number;
    producer->tid = tid;
    memcpy(producer->thread, lease.thread, sizeof(lease.thread));
    fake_slot(segment, ring, &lease);
}

void fake_lost(struct fake_segment *segment, uint32_t ring, const uint64_t count[GBW_RING_CAUSES])
{
    struct gbw_lost lost = {.kind = GBW_LOST};
    memcpy(lost.count, count, sizeof(lost.count));
    fake_slot(segment, ring, &lost);
}

void fake_drop(struct fake_segment *segment, uint32_t ring, enum gbw_cause cause)
{
    struct gbw_producer *producer = segment->ring[ring].producer;
    __atomic_store_n(&producer->attempted, producer->attempted + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&producer->dropped[cause], producer->dropped[cause] + 1, __ATOMIC_RELEASE);
}

void fake_push(struct fake_segment *segment, uint32_t index, const struct fake_emit *emit)
{
    struct fake_ring *ring = &segment->ring[index];
    uint32_t depth = ring->producer->depth;
    uint32_t at = depth < GBW_FRAMES ? depth : GBW_FRAMES - 1;
    uint8_t ext[GBW_EXT_MAX];
    unsigned length = fake_encode(emit, &ring->producer->frame[at], ext);
    assert(ring->arena_used + length <= GBW_ARENA_BYTES);
    memcpy(ring->arena + ring->arena_used, ext, length);
    ring->producer->ext[at] = (struct gbw_frame_ext){.offset = (uint16_t)ring->arena_used, .length = (uint16_t)length};
    ring->arena_used += length;
    __atomic_store_n(&ring->producer->depth, depth + 1, __ATOMIC_RELEASE);
}

void fake_pop(struct fake_segment *segment, uint32_t ring)
{
    struct gbw_producer *producer = segment->ring[ring].producer;
    __atomic_store_n(&producer->depth, producer->depth - 1, __ATOMIC_RELEASE);
}
