/* SPDX-License-Identifier: MIT */
/* See view.h. */
#include "tests/lib/view.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/child.h"

#define MAPPED (16u << 20) /* more than the file ever has */

struct view view;

void view_open(void)
{
    DIR *dir = opendir(scratch);
    assert_non_null(dir);
    view.fd = -1;
    for (struct dirent *entry; view.fd < 0 && (entry = readdir(dir));)
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) == 0)
            view.fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
    closedir(dir);
    assert_true(view.fd >= 0);
    view.map = mmap(NULL, MAPPED, PROT_READ, MAP_SHARED, view.fd, 0);
    assert_true(view.map != MAP_FAILED);
    view.header = (const void *)view.map;
}

void view_close(void)
{
    munmap((void *)(uintptr_t)view.map, MAPPED);
    close(view.fd);
}

void view_find_ring(void)
{
    struct stat st;
    const struct gbw_ring_entry *entry = (const void *)(view.map + view.header->rings_offset);
    assert_int_equal(view.header->ring_count, 1);
    assert_int_equal(fstat(view.fd, &st), 0);
    assert_true(entry->slots >= GBW_RING_BYTES_MIN / GBW_SLOT && (entry->slots & (entry->slots - 1)) == 0);
    assert_int_equal(entry->offset + GBW_RING_OVERHEAD + (uint64_t)entry->slots * GBW_SLOT + entry->fold_bytes,
                     st.st_size);
    view.producer = (const void *)(view.map + entry->offset);
    view.arena = view.map + entry->offset + GBW_PAGE;
    view.consumer = (const void *)(view.arena + GBW_ARENA_BYTES);
    view.slots = (const void *)(view.map + entry->offset + GBW_RING_OVERHEAD);
    view.mask = entry->slots - 1;
    view.fold_area = (const uint8_t *)(view.slots + entry->slots);
    view.fold_bytes = entry->fold_bytes;
}

uint64_t view_dropped(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GBW_CAUSES; i++)
        sum += view.producer->dropped[i];
    return sum;
}
