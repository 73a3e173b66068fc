/* SPDX-License-Identifier: MIT */
/*
 * liburcu's wfcqueue: any number of threads may emit, one thread of the same process takes, every ms, all at once (splice). Nodes come
 * from a private array that is used in turn, which is kinder than malloc for each.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <urcu/wfcqueue.h>

#include "bench/peers/peer.h"

#define NODES 16384

static struct node {
    struct cds_wfcq_node node;
    uint64_t word[7];
} __attribute__((aligned(64))) nodes[NODES];

static struct cds_wfcq_head head, batch_head;
static struct cds_wfcq_tail tail, batch_tail;
static uint64_t taken __attribute__((aligned(64))), sum;
static uint64_t emitted __attribute__((aligned(64))), taken_seen, lost_events;
static bool ending;
static pthread_t taker;

static inline void put(uint64_t start, uint64_t end, uint64_t a, uint64_t b, uint64_t c)
{
    if (__builtin_expect(emitted - taken_seen == NODES, 0)) {
        taken_seen = __atomic_load_n(&taken, __ATOMIC_ACQUIRE);
        if (emitted - taken_seen == NODES) {
            lost_events++;
            return;
        }
    }
    struct node *node = &nodes[emitted++ % NODES];
    cds_wfcq_node_init(&node->node);
    node->word[0] = 1;
    node->word[1] = start;
    node->word[2] = end - start;
    node->word[3] = 7;
    node->word[4] = a;
    node->word[5] = b;
    node->word[6] = c;
    cds_wfcq_enqueue(&head, &tail, &node->node);
}

static void emit(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        put(start, clock_now(), i, 2, 3);
    }
}

static const struct peer_variant variants[] = {
    {"wfcqueue", "liburcu wfcqueue of 64-byte nodes from a private array; a thread of the same process takes them",
     emit, 4096},
    {0}};

static void take_all(void)
{
    struct cds_wfcq_node *node, *next;
    uint64_t count = 0;
    __cds_wfcq_splice_blocking(&batch_head, &batch_tail, &head, &tail);
    __cds_wfcq_for_each_blocking_safe(&batch_head, &batch_tail, node, next)
    {
        sum += ((struct node *)node)->word[2];
        count++;
    }
    cds_wfcq_init(&batch_head, &batch_tail);
    __atomic_store_n(&taken, taken + count, __ATOMIC_RELEASE);
}

static void *take(void *unused)
{
    while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
        take_all();
        peer_nap();
    }
    return unused;
}

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    (void)directory, (void)ret_error, (void)room;
    cds_wfcq_init(&head, &tail);
    cds_wfcq_init(&batch_head, &batch_tail);
    return -pthread_create(&taker, NULL, take, NULL);
}

static void settle(void)
{
    while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) != emitted)
        peer_nap();
}

static uint64_t lost(void)
{
    return lost_events;
}

static void close_peer(void)
{
    __atomic_store_n(&ending, true, __ATOMIC_RELEASE);
    pthread_join(taker, NULL);
}

static const struct peer peer = {
    .variants = variants, .open = open_peer, .settle = settle, .lost = lost, .close = close_peer};

int main(int argc, char **argv)
{
    return peer_main(&peer, argc, argv);
}
