/* SPDX-License-Identifier: MIT */
/*
 * A reporter that only looks at the clock, for bench-latency. In: batches. Out: for each timing, how long ago its scope ended. Its own
 * thread in the collector.
 *
 *   --reporter ./bench-stamp.so:path=FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <gb/reporter.h>

#include "bench/latency_stamp.h"

static const struct gb_reporter_setup *setup;
static struct stamps *stamps;

static int stamp_open(const struct gb_reporter_setup *given, void **ret_self)
{
    const char *path = given->options[0].text;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        given->say(given->collector, "the option path must name the file that bench-latency made");
        return -EINVAL;
    }
    void *map = mmap(NULL, sizeof *stamps, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return -errno;
    setup = given;
    *ret_self = stamps = map;
    return 0;
}

static void stamp_batch(void *self, const struct gb_batch *batch)
{
    struct timespec time;
    struct stamps *to = self;
    uint64_t count = atomic_load_explicit(&to->events, memory_order_relaxed);
    clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    for (uint32_t i = 0; i < batch->run_count; i++) {
        for (uint32_t j = 0; j < batch->runs[i].count; j++) {
            const struct gb_event *event = &batch->runs[i].events[j];
            if (event->kind == GB_EVENT_TIMING)
                to->us[count++ % STAMPS_MOST] = (float)(now - event->start_mono_ns - event->as.duration_ns) / 1000;
        }
    }
    atomic_store_explicit(&to->events, count, memory_order_release);
}

static void stamp_tick(void *self, int64_t now_ns)
{
    struct gb_reporter_account account[8];
    struct stamps *to = self;
    uint64_t lost = 0;
    unsigned count = setup->reporters(setup->collector, account, 8);
    (void)now_ns;
    for (unsigned i = 0; i < count && i < 8; i++) {
        for (unsigned j = 0; j < GB_REPORTER_CAUSES && account[i].dropped[j].cause; j++)
            lost += strcmp(account[i].name, setup->name) ? account[i].dropped[j].events : 0;
    }
    atomic_store_explicit(&to->beside_lost, lost, memory_order_release);
}

static void stamp_close(void *self)
{
    if (self)
        munmap(self, sizeof *stamps);
}

static const struct gb_option stamp_options[] = {
    {"path", GB_OPTION_TEXT, NULL, NULL, "the file that bench-latency made for the stamps"}, {0}};

const struct gb_reporter gb_reporter_plugin = {.abi = GB_REPORTER_ABI,
                                               .size = sizeof(struct gb_reporter),
                                               .name = "stamp",
                                               .help = "measures how long events take to come here",
                                               .options = stamp_options,
                                               .open = stamp_open,
                                               .record_batch = stamp_batch,
                                               .tick = stamp_tick,
                                               .close = stamp_close};
