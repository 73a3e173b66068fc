/* SPDX-License-Identifier: MIT */
/* FAULTS 14 and 24: every kind of file that is no segment is refused with its own reason, and a good one is mapped whole. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/sigbus.h"
#include "collector/worker.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory;
static const char some_name[] = "gb-00112233445566778899aabbccddeeff.seg";

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&directory);
    return sigbus_install();
}

static int tear_down(void **state)
{
    (void)state;
    fake_directory_remove(&directory);
    return 0;
}

static enum attach_refusal attach(const char *file, uid_t owner, char *ret_why)
{
    struct segment *segment = NULL;
    struct attach_result result;
    int error = segment_attach(directory.fd, file, owner, &result, &segment);
    assert_int_equal(!error, result.refusal == ATTACH_ACCEPTED);
    assert_int_equal(!error, segment != NULL);
    if (error)
        assert_true(strlen(result.why) > 0);
    if (ret_why)
        strcpy(ret_why, result.why);
    segment_detach(segment);
    return result.refusal;
}

static void accepts_and_copies(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    struct segment *segment;
    struct attach_result result;
    assert_int_equal(fake_ring_add(fake, 256, 7), 0);
    assert_int_equal(segment_attach(directory.fd, fake->file, geteuid(), &result, &segment), 0);
    assert_int_equal(segment->pid, getpid());
    assert_true(segment->same_boot && segment->same_pid_ns);
    assert_int_equal(segment->names_capacity, fake->header->names_capacity);
    assert_string_equal(segment->worker->segment, fake->id);
    assert_string_equal(segment->worker->program, "fake");
    assert_string_equal(segment->worker->service, "fake-service");
    assert_string_equal(segment->worker->clock, "monotonic");

    assert_int_equal(ring_attach(segment, 1), -EINVAL);
    assert_int_equal(ring_attach(segment, 0), 0);
    assert_int_equal(segment->ring_count, 1);
    assert_int_equal(segment->rings[0]->slots, 256);
    assert_int_equal(segment->rings[0]->producer->tail, 7);
    segment->rings[0]->consumer->head = 99;
    assert_int_equal(fake->ring[0].consumer->head, 99);
    fake->ring[0].slot[255 * GBW_SLOT + 63] = 0xab;
    assert_int_equal(segment->rings[0]->slot[255 * GBW_SLOT + 63], 0xab);
    segment_detach(segment);
    fake_segment_free(fake);
}

static void refuses_kinds(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char why[160];
    assert_int_equal(attach(some_name, geteuid(), NULL), ATTACH_GONE);

    assert_int_equal(mkfifoat(directory.fd, some_name, 0600), 0);
    assert_int_equal(attach(some_name, geteuid(), why), ATTACH_NO_FILE);
    assert_string_equal(why, "it is a FIFO");
    unlinkat(directory.fd, some_name, 0);

    assert_int_equal(mkdirat(directory.fd, some_name, 0700), 0);
    assert_int_equal(attach(some_name, geteuid(), NULL), ATTACH_NO_FILE);
    unlinkat(directory.fd, some_name, AT_REMOVEDIR);

    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory.path, some_name);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(attach(some_name, geteuid(), NULL), ATTACH_NO_FILE);
    close(listener);
    unlinkat(directory.fd, some_name, 0);

    if (!mknodat(directory.fd, some_name, S_IFCHR | 0600, makedev(1, 3))) {
        assert_int_equal(attach(some_name, geteuid(), why), ATTACH_NO_FILE);
        assert_string_equal(why, "it is a character device");
        unlinkat(directory.fd, some_name, 0);
    }
}

static void refuses_links(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    assert_int_equal(symlinkat(fake->file, directory.fd, some_name), 0);
    assert_int_equal(attach(some_name, geteuid(), NULL), ATTACH_SYMLINK);
    unlinkat(directory.fd, some_name, 0);
    assert_int_equal(linkat(directory.fd, fake->file, directory.fd, some_name, 0), 0);
    assert_int_equal(attach(some_name, geteuid(), NULL), ATTACH_HARD_LINK);
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_HARD_LINK);
    unlinkat(directory.fd, some_name, 0);
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_ACCEPTED);
    char outside[80];
    snprintf(outside, sizeof(outside), "../%s/%s", strrchr(directory.path, '/') + 1, fake->file);
    assert_int_not_equal(attach(outside, geteuid(), NULL), ATTACH_ACCEPTED);
    fake_segment_free(fake);
}

static void refuses_owner_and_mode(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    assert_int_equal(attach(fake->file, geteuid() + 1, NULL), ATTACH_OWNER);
    assert_int_equal(fchmod(fake->fd, 0640), 0);
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_MODE);
    assert_int_equal(fchmod(fake->fd, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchown(fake->fd, 12345, (gid_t)-1), 0);
        assert_int_equal(attach(fake->file, 0, NULL), ATTACH_OWNER);
        assert_int_equal(attach(fake->file, 12345, NULL), ATTACH_ACCEPTED);
    }
    fake_segment_free(fake);
}

static void refuses_sizes_of_file(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    assert_int_equal(ftruncate(fake->fd, 10ll << 40), 0); /* sparse */
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_HUGE);
    assert_int_equal(ftruncate(fake->fd, GBW_PAGE), 0);
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_OFFSETS);
    assert_int_equal(ftruncate(fake->fd, GBW_PAGE - 1), 0);
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_SHORT);
    assert_int_equal(ftruncate(fake->fd, 0), 0);
    assert_int_equal(attach(fake->file, geteuid(), NULL), ATTACH_EMPTY);
    fake_segment_free(fake);
}

static void refuses_names(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    assert_int_equal(renameat(directory.fd, fake->file, directory.fd, some_name), 0);
    assert_int_equal(attach(some_name, geteuid(), NULL), ATTACH_NAME);
    fake_segment_free(fake);
}

#define EDIT(name, change)                                                                                             \
    static void name(struct gbw_header *h)                                                                             \
    {                                                                                                                  \
        change;                                                                                                        \
    }
EDIT(magic, h->magic = 1)
EDIT(magic_zero, h->magic = 0)
EDIT(swapped, h->magic = __builtin_bswap64(h->magic))
EDIT(byte_order, h->byte_order = 0x04030201)
EDIT(other_major, h->major = 7; h->minor = 3)
EDIT(newer_minor, h->minor = 9)
EDIT(header_small, h->header_bytes = 64)
EDIT(header_large, h->header_bytes = 1u << 30)
EDIT(slot, h->slot_bytes = 128)
EDIT(slot_zero, h->slot_bytes = 0)
EDIT(name_entry, h->name_entry_bytes = 8)
EDIT(name_entry_huge, h->name_entry_bytes = 0xfffffff8)
EDIT(ring_entry, h->ring_entry_bytes = 0)
EDIT(names_none, h->names_capacity = 0)
EDIT(names_many, h->names_capacity = UINT32_MAX)
EDIT(text_many, h->text_capacity = UINT32_MAX)
EDIT(rings_none, h->rings_capacity = 0)
EDIT(rings_many, h->rings_capacity = UINT32_MAX)
EDIT(page_odd, h->page_bytes = 4097)
EDIT(page_zero, h->page_bytes = 0)
EDIT(names_in_header, h->names_offset = 8)
EDIT(names_far, h->names_offset = 1ull << 40)
EDIT(names_wrap, h->names_offset = UINT64_MAX - 7)
EDIT(text_wrap, h->text_offset = UINT64_MAX - h->text_capacity + 1)
EDIT(text_over_names, h->text_offset = h->names_offset + 16)
EDIT(text_odd, h->text_offset += 4)
EDIT(rings_over_text, h->rings_offset = h->text_offset)
EDIT(rings_far, h->rings_offset += 1u << 20)
EDIT(clock_none, h->clock = 0)
EDIT(clock_other, h->clock = 4)
EDIT(ticks_none, h->ticks_per_second = 0)
EDIT(ticks_many, h->ticks_per_second = UINT64_MAX)

static void refuses_headers(void **state)
{
    (void)state;
    static const struct {
        void (*edit)(struct gbw_header *);
        enum attach_refusal expected;
    } cases[] = {
        {magic, ATTACH_MAGIC},           {magic_zero, ATTACH_MAGIC},        {swapped, ATTACH_BYTE_ORDER},
        {byte_order, ATTACH_BYTE_ORDER}, {other_major, ATTACH_MAJOR},       {newer_minor, ATTACH_ACCEPTED},
        {header_small, ATTACH_SIZES},    {header_large, ATTACH_SIZES},      {slot, ATTACH_SIZES},
        {slot_zero, ATTACH_SIZES},       {name_entry, ATTACH_SIZES},        {name_entry_huge, ATTACH_SIZES},
        {ring_entry, ATTACH_SIZES},      {names_none, ATTACH_SIZES},        {names_many, ATTACH_SIZES},
        {text_many, ATTACH_SIZES},       {rings_none, ATTACH_SIZES},        {rings_many, ATTACH_SIZES},
        {page_odd, ATTACH_SIZES},        {page_zero, ATTACH_SIZES},         {names_in_header, ATTACH_OFFSETS},
        {names_far, ATTACH_OFFSETS},     {names_wrap, ATTACH_OFFSETS},      {text_wrap, ATTACH_OFFSETS},
        {text_odd, ATTACH_OFFSETS},      {text_over_names, ATTACH_OFFSETS}, {rings_over_text, ATTACH_OFFSETS},
        {rings_far, ATTACH_OFFSETS},     {clock_none, ATTACH_CLOCK},        {clock_other, ATTACH_CLOCK},
        {ticks_none, ATTACH_CLOCK},      {ticks_many, ATTACH_CLOCK},
    };
    char why[160];
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_segment *fake = fake_segment_make(directory.fd, cases[i].edit);
        enum attach_refusal refusal = attach(fake->file, geteuid(), why);
        if (refusal != cases[i].expected)
            fail_msg("case %u: refusal %d, %s", i, refusal, why);
        if (refusal == ATTACH_MAJOR)
            assert_string_equal(why, "it has format 7.3, and this gb-collector reads 1.x");
        fake_segment_unlink(fake);
        fake_segment_free(fake);
    }
}

/* Each broken entry is passed over, and the good ring behind it is still attached. */
static void refuses_rings(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    struct segment *segment;
    struct attach_result result;
    fake_ring_add(fake, 512, 0);
    uint64_t offset = fake->entries[0].offset, page = GBW_PAGE;
    const struct gbw_ring_entry bad[] = {
        {.offset = offset, .slots = 0},
        {.offset = offset, .slots = 300},
        {.offset = offset, .slots = 128},
        {.offset = offset, .slots = 1u << 31},
        {.offset = offset, .slots = 1024}, /* ends behind the file */
        {.offset = offset + 64, .slots = 256},
        {.offset = 0, .slots = 256},
        {.offset = page, .slots = 256}, /* in the names */
        {.offset = UINT64_MAX - page + 1, .slots = 256},
        {.offset = 1ull << 40, .slots = 256},
    };
    unsigned count = sizeof(bad) / sizeof(bad[0]);
    fake->entries[count] = fake->entries[0];
    memcpy(fake->entries, bad, sizeof(bad));
    fake->entries[count + 1] = (struct gbw_ring_entry){.offset = offset + page, .slots = 256}; /* in the other */
    fake->header->ring_count = count + 2;
    assert_int_equal(segment_attach(directory.fd, fake->file, geteuid(), &result, &segment), 0);
    for (unsigned i = 0; i < count; i++) {
        if (ring_attach(segment, i) != -EPROTO)
            fail_msg("entry %u was accepted", i);
        assert_null(segment->rings[i]);
    }
    assert_int_equal(ring_attach(segment, count), 0);
    assert_non_null(segment->rings[count]);
    assert_int_equal(ring_attach(segment, count + 1), -EPROTO);
    assert_int_equal(segment->ring_count, count + 2);
    segment_detach(segment);
    fake_segment_free(fake);
}

static void numbers_are_reused(void **state)
{
    (void)state;
    struct gbw_header header = {.clock = GBW_CLOCK_TSC};
    struct gb_worker *worker[3];
    memset(header.program, 0xff, sizeof(header.program)); /* not terminated, no UTF-8 */
    strcpy(header.service, "a\nb\x1b");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(worker_make(&header, &worker[i]), 0);
        assert_int_equal(worker[i]->id, i);
    }
    assert_int_equal(strlen(worker[0]->program), 3 * sizeof(header.program));
    assert_string_equal(worker[0]->service, "a\xef\xbf\xbd"
                                            "b\xef\xbf\xbd");
    worker_free(worker[1]);
    assert_int_equal(worker_make(&header, &worker[1]), 0);
    assert_int_equal(worker[1]->id, 1);
    for (unsigned i = 0; i < 3; i++)
        worker_free(worker[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts_and_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_owner_and_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_sizes_of_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_rings, set_up, tear_down),
        cmocka_unit_test(numbers_are_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
