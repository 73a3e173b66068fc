/* SPDX-License-Identifier: MIT */
/*
 * A whole segment file of any bytes (FAULTS 11), where `segment` begins with one that is right. In: pages of the file (32 bits), then
 * spans of what is not zero in it: where (32 bits), length (16 bits), bytes. image.py makes that of a worker's file. One whose header says
 * that it is a flight recorder's is frozen first, as `gb snapshot` does, and its copy read.
 *
 * Must hold: refused with a reason, or read as reading.h says; of a recording that cannot be copied no file is left.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

#include "collector/attach.h"
#include "collector/freeze.h"
#include "collector/sigbus.h"
#include "collector/worker.h"
#include "tests/collector/fake_segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/reading.h"

#define PAGES_MAX 1024u
#define SPAN 6u /* bytes before those of the span */

static struct fake_directory directory;

static void remove_directory(void)
{
    fake_directory_remove(&directory);
}

static uint32_t little(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* A recording has a name of its own: its copy has the other one. */
static const char *suffix_of(int fd)
{
    struct gbw_header header = {0};
    CHECK(pread(fd, &header, sizeof(header), 0) >= 0);
    return header.recording && header.state != GBW_FROZEN ? GBW_RECORDING_SUFFIX : GBW_SEGMENT_SUFFIX;
}

/* Its name must be what its header says: other names are refused before anything else is looked at. */
static void put_file(const uint8_t *data, size_t size, char *ret_name, size_t room)
{
    uint8_t id[16] = {0};
    char text[33];
    uint64_t bytes = (uint64_t)(little(data, 4) % PAGES_MAX) * GBW_PAGE;
    int fd = openat(directory.fd, "fresh", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && !ftruncate(fd, (off_t)bytes));
    const uint8_t *at = data + 4, *end = data + size;
    while (end - at >= (ptrdiff_t)SPAN) {
        uint64_t where = little(at, 4);
        size_t length = little(at + 4, 2);
        at += SPAN;
        if (length > (size_t)(end - at))
            length = (size_t)(end - at);
        if (where < bytes)
            CHECK(pwrite(fd, at, length < bytes - where ? length : (size_t)(bytes - where), (off_t)where) >= 0);
        at += length;
    }
    CHECK(pread(fd, id, sizeof(id), (off_t)offsetof(struct gbw_header, segment_id)) >= 0);
    worker_segment_text(id, text);
    snprintf(ret_name, room, GBW_SEGMENT_PREFIX "%s%s", text, suffix_of(fd));
    close(fd);
    CHECK(!renameat(directory.fd, "fresh", directory.fd, ret_name));
}

/* The copy takes the recording's place, if there is one: NULL otherwise. The name is that of the file that is left. */
static struct segment *freeze(struct segment *recording, char *name, size_t room)
{
    struct attach_result result;
    struct segment *copy = NULL;
    char id[33];
    int error = freeze_recording(recording, GBW_VANISHED, directory.fd);
    CHECK(!unlinkat(directory.fd, name, 0));
    worker_segment_text(recording->id.byte, id);
    segment_detach(recording);
    snprintf(name, room, GBW_SEGMENT_PREFIX "%s" GBW_SEGMENT_SUFFIX, id);
    if (error) {
        CHECK(faccessat(directory.fd, name, F_OK, 0));
        *name = 0;
    } else if (segment_attach(directory.fd, name, geteuid(), &result, &copy)) {
        CHECK(result.refusal && result.why[0]);
    }
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attach_result result;
    struct segment *segment;
    char name[64];
    if (size < 4)
        return 0;
    if (!directory.path[0]) {
        fake_directory_make(&directory);
        atexit(remove_directory);
        CHECK(!sigbus_install());
    }
    put_file(data, size, name, sizeof(name));
    if (segment_attach(directory.fd, name, geteuid(), &result, &segment)) {
        CHECK(result.refusal && result.why[0]);
        segment = NULL;
    } else if (segment->recording && !segment->frozen) {
        segment = freeze(segment, name, sizeof(name));
    }
    if (segment)
        reading_run(segment, &(struct reading){0});
    CHECK(!*name || !unlinkat(directory.fd, name, 0));
    return 0;
}

/* libFuzzer's own; not there with other fuzzers. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Mostly the bytes of one span, which stays as long as it is: what is inserted elsewhere moves all that follows. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t starts[64], count = 0;
    for (size_t at = 4; at + SPAN < size && count < 64; at += SPAN + little(data + at + 4, 2))
        starts[count++] = at;
    if (seed % 4 == 0 || !count)
        return LLVMFuzzerMutate(data, size, max_size);
    uint8_t *span = data + starts[seed / 4 % count];
    size_t length = little(span + 4, 2), left = (size_t)(data + size - span) - SPAN;
    if (length > left)
        length = left;
    if (seed % 4 == 1) /* where it stands */
        LLVMFuzzerMutate(span, 4, 4);
    else if (length)
        LLVMFuzzerMutate(span + SPAN, length, length);
    return size;
}
