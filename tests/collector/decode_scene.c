/* SPDX-License-Identifier: MIT */
/* See decode_scene.h. */
#include "tests/collector/decode_scene.h"

#include <string.h>

struct rig rig;
struct batch *batch;
static struct batch_pool *pool;

int decode_set_up(void **state)
{
    (void)state;
    rig_make(&rig, NULL);
    assert_int_equal(batch_pool_make(2, &pool), 0);
    batch = batch_get(pool);
    return 0;
}

int decode_tear_down(void **state)
{
    (void)state;
    batch_put(pool, batch);
    batch_pool_free(pool);
    rig_free(&rig);
    return 0;
}

void fresh_batch(void)
{
    batch_put(pool, batch);
    batch = batch_get(pool);
}

const struct gb_event *decode_all(struct ring *ring)
{
    uint64_t tail = rig.fake->ring[ring->index].producer->tail;
    assert_true(decode_ring(ring, rig.paths, tail, tail, batch));
    assert_true(ring->taken == tail);
    return batch->events;
}

uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}
