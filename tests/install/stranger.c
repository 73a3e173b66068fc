/* SPDX-License-Identifier: MIT */
/* A program of somebody who has the installed package and nothing else: one event of each kind, known in advance. */
#include <gb/telemetry.h>

#include <pthread.h>
#include <stdio.h>

static void *finish(void *span)
{
    gb_end(span);
    return NULL;
}

int main(void)
{
    GB_SCOPE ("my.pipeline.step", GB_KV("batch_size", 16), GB_KV("model", "flash"), GB_KV_BOOL("dry", false)) {
        GB_COUNT("items_processed", 3);
        GB_GAUGE("token_efficiency", 0.92, GB_KV("shard", 7));
        GB_METRIC("queue_wait", 1.5);
        for (int i = 0; i < 2; i++) {
            GB_SCOPE_HERE("inner", GB_KV("api_key", "canary"));
            GB_ATTR("rows", i + 1);
        }
        GB_ATTR("error", "out of \"paper\"\n");
    }
    struct gb_span span = GB_BEGIN("fetch");
    pthread_t thread;
    if (pthread_create(&thread, NULL, finish, &span) != 0)
        return 1;
    pthread_join(thread, NULL);
    gb_timing(gb_name("stage.%d", 2), 1000000000, 1250000000, NULL, 0);
    struct gb_stats stats;
    gb_stats(&stats);
    printf("%u %llu\n", stats.enabled, (unsigned long long)stats.attempted);
    return 0;
}
