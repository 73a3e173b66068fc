/* SPDX-License-Identifier: MIT */
/*
 * See drain.h: the drain thread, pass by pass, and how it sleeps between. What it does with a segment is in take.h.
 *
 * It is a reader of the segments' list (RCU, QSBR flavour): it says "quiescent" once a pass and is offline while it sleeps.
 */
#include <urcu/urcu-qsbr.h>

#include "collector/drain.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/start_thread.h"
#include "collector/take.h"

#define MS 1000000
#define SLEEP_FIRST_NS MS         /* under load */
#define SLEEP_TRICKLE_NS (8 * MS) /* while a little comes */
#define SLEEP_LAST_NS (100 * MS)  /* idle */
#define NEWS_NS (50 * MS)         /* a new worker begins at full speed, and its first ring is not there yet */
#define BUSY_FILL 1               /* 64ths of a ring: less is a trickle */
#define PATIENT_PERCENT 25        /* a queue this full: batches are filled for longer, so that it holds more */
#define PATIENT_NS (20 * MS)
#define SLICE_NS 100000              /* the least that Linux gives */
#define STOP_NS (4000 * (int64_t)MS) /* how long the end waits for reporters that take what is in their queues */

struct drain {
    struct cds_list_head *segments;
    struct bell *bell;
    struct taker taker;
    struct paths *paths;
    pthread_t thread;
    bool runs;
    atomic_bool stopping;
    _Atomic uint64_t passes; /* the drain thread writes it */
    int64_t sleep_ns;
};

static void walk(struct drain *drain, void (*visit)(struct taker *taker, struct segment *segment))
{
    struct segment *segment;
    cds_list_for_each_entry_rcu (segment, drain->segments, node)
        visit(&drain->taker, segment);
}

/* A batch is handed on at the end of a pass; when a queue fills up, only once it is worth its place in it. */
static void push_what_is_open(struct taker *taker, unsigned pressure)
{
    if (pressure < PATIENT_PERCENT || taker->final || taker->now_ns - taker->filled_ns >= PATIENT_NS)
        taker_push(taker);
}

/* Between two passes; what was taken is pushed to those that it was taken for. */
static void change_reporters(struct drain *drain)
{
    taker_push(&drain->taker);
    walk(drain, newcomers_prepare);
    newcomers_switch(&drain->taker);
    walk(drain, newcomers_welcome);
    newcomers_push(&drain->taker);
}

static void pass(struct drain *drain)
{
    struct taker *taker = &drain->taker;
    taker->now_ns = clock_mono_now();
    if (fanout_has_news(taker->fanout))
        change_reporters(drain);
    unsigned pressure = fanout_pressure(taker->fanout, taker->now_ns);
    taker->hurried = pressure >= BEHIND_PERCENT;
    taker->more = taker->starved = false;
    taker->found = taker->waiting = false;
    taker->fill = 0;
    walk(drain, pass_segment);
    push_what_is_open(taker, pressure);
    walk(drain, pass_heads);
    urcu_qsbr_quiescent_state();
}

/* A worker that passed half full before we declared ourselves asleep has not rung. */
static bool must_not_sleep(struct drain *drain)
{
    struct segment *segment;
    if (atomic_load_explicit(&drain->stopping, memory_order_acquire))
        return true;
    if (drain->taker.hurried)
        return false;
    cds_list_for_each_entry_rcu (segment, drain->segments, node) {
        if (atomic_load_explicit(&segment->life, memory_order_acquire) > SEGMENT_DEAD)
            continue;
        uint32_t count = atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
        for (uint32_t i = 0; i < count; i++) {
            const struct ring *ring = segment->rings[i];
            if (ring && ring->adopted &&
                __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE) - ring->taken >= ring->slots / 2)
                return true;
        }
    }
    return false;
}

static void choose_sleep(struct drain *drain)
{
    const struct taker *taker = &drain->taker;
    int64_t longest = taker->found || taker->waiting || taker->batch ? SLEEP_TRICKLE_NS : SLEEP_LAST_NS;
    if (taker->fill >= BUSY_FILL || taker->now_ns - taker->news_ns < NEWS_NS)
        drain->sleep_ns = SLEEP_FIRST_NS;
    else
        drain->sleep_ns = 2 * drain->sleep_ns < longest ? 2 * drain->sleep_ns : longest;
}

static void sleep_a_while(struct drain *drain)
{
    choose_sleep(drain);
    bell_declare_asleep(drain->bell);
    if (!must_not_sleep(drain)) {
        urcu_qsbr_thread_offline();
        bell_sleep(drain->bell, drain->sleep_ns);
        urcu_qsbr_thread_online();
    }
    bell_declare_awake(drain->bell);
}

/* Where every ring was when the drain was told to end: what comes later is not waited for. */
static void set_stop(struct taker *taker, struct segment *segment)
{
    uint32_t count = atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
    (void)taker;
    for (uint32_t i = 0; i < count; i++) {
        struct ring *ring = segment->rings[i];
        if (ring && ring->adopted && atomic_load(&segment->life) <= SEGMENT_DEAD)
            ring->stop_at = __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE);
    }
}

/* Takes everything, but not faster than the reporters can. */
static void take_the_rest(struct drain *drain)
{
    struct taker *taker = &drain->taker;
    walk(drain, set_stop);
    if (!taker->final)
        taker->final_ns = clock_mono_now() + STOP_NS;
    taker->final = true;
    do
        pass(drain);
    while (taker->more && !taker->starved);
    fanout_unused(taker->fanout, taker->batch);
    taker->batch = NULL;
}

/* The kernel's struct sched_attr in its first version; its own header and the C library's exclude each other. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
_Static_assert(sizeof(struct scheduling) == 48, "SCHED_ATTR_SIZE_VER0");

/* The drain works little and often, and a ring overflows when it comes late: it asks the scheduler for short slices, and is in turn
 * chosen sooner when it wakes among busy threads. Best effort; it takes no more of the CPU by that. */
static void ask_for_short_slices(void)
{
    struct scheduling own = {.size = sizeof(own)};
    if (syscall(SYS_sched_getattr, 0, &own, sizeof(own), 0) || own.policy != SCHED_OTHER)
        return;
    own.runtime = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &own, 0);
}

static void *run(void *argument)
{
    struct drain *drain = argument;
    ask_for_short_slices();
    urcu_qsbr_register_thread();
    while (!atomic_load_explicit(&drain->stopping, memory_order_acquire)) {
        pass(drain);
        atomic_fetch_add_explicit(&drain->passes, 1, memory_order_relaxed);
        if (!drain->taker.more || drain->taker.starved || drain->taker.hurried)
            sleep_a_while(drain);
    }
    take_the_rest(drain);
    urcu_qsbr_unregister_thread();
    return NULL;
}

int drain_start(struct cds_list_head *segments, struct fanout *fanout, struct bell *bell, bool patient,
                struct drain **ret_drain)
{
    struct drain *drain = calloc(1, sizeof(*drain));
    if (!drain)
        return -ENOMEM;
    int error = paths_make(&drain->paths);
    if (error) {
        free(drain);
        return error;
    }
    drain->segments = segments;
    drain->bell = bell;
    drain->sleep_ns = SLEEP_FIRST_NS;
    drain->taker = (struct taker){.fanout = fanout,
                                  .paths = drain->paths,
                                  .total = fanout_total(fanout),
                                  .durable = fanout_has_durable(fanout),
                                  .final = patient,
                                  .final_ns = INT64_MAX};
    error = start_thread(&drain->thread, "gb-drain", run, drain);
    if (error) {
        drain_free(drain);
        return error;
    }
    drain->runs = true;
    *ret_drain = drain;
    return 0;
}

uint64_t drain_passes(const struct drain *drain)
{
    return atomic_load_explicit(&drain->passes, memory_order_relaxed);
}

void drain_stop(struct drain *drain)
{
    if (!drain->runs)
        return;
    atomic_store_explicit(&drain->stopping, true, memory_order_release);
    bell_ring(drain->bell);
    pthread_join(drain->thread, NULL);
    drain->runs = false;
}

/* The control thread owns the list, so it walks it as it is. */
void drain_finish(struct drain *drain)
{
    struct segment *segment;
    cds_list_for_each_entry (segment, drain->segments, node)
        pass_heads(&drain->taker, segment);
    if (fanout_left_behind(drain->taker.fanout))
        drain->paths = NULL; /* its thread may still read them */
}

void drain_free(struct drain *drain)
{
    if (!drain)
        return;
    drain_stop(drain);
    paths_free(drain->paths);
    free(drain);
}
