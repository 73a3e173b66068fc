/* SPDX-License-Identifier: MIT */
/* A plug-in that does nothing, called NAME. It needs what the collector has for plug-ins. */
#include <gb/reporter.h>

static int counts_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    setup->say(setup->collector, "knows %s", gb_cause_name(0));
    *ret_self = NULL;
    return 0;
}

static void counts_batch(void *self, const struct gb_batch *batch)
{
    (void)self;
    (void)batch;
}

static void counts_close(void *self)
{
    (void)self;
}

const struct gb_reporter gb_reporter_plugin = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = NAME,
    .help = "takes all, and keeps nothing",
    .open = counts_open,
    .record_batch = counts_batch,
    .close = counts_close,
};
