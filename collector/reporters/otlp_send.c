/* SPDX-License-Identifier: MIT */
/*
 * See otlp_send.h.
 *
 * `lock` guards what both threads touch: the queues, the list of those that came back, what is asked for, and the trouble to tell.
 * A message at the head of a queue whose lane is busy belongs to the sender's thread alone, without the lock.
 */
#include "collector/reporters/otlp_send.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "collector/now.h"
#include "collector/reporters/otlp_lane.h"

#define SECOND 1000000000ll
#define PAUSE_FIRST_NS (SECOND / 2)
#define PAUSE_LAST_NS (30 * SECOND)
#define TRY_FOR_NS (120 * SECOND) /* from the first attempt */
#define SLEEP_NS (60 * SECOND)

struct queue {
    struct otlp_message *first, **end;
};

struct lane {
    struct otlp_lane line;
    struct queue queue; /* the first one is under way, or waits for `next_ns` */
    bool busy;
    struct otlp_message *under_way; /* the first one, while busy: the sender's thread's own */
    int64_t next_ns, pause_ns;      /* pause_ns 0: the last attempt was good */
    bool asked_to_wait;             /* by Retry-After */
    bool troubled, told;            /* told: what `trouble` says was fetched */
    char trouble[240];
};

struct otlp_sender {
    const struct otlp_settings *settings;
    CURLM *multi;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock;
    pthread_cond_t came_back;
    struct lane lane[OTLP_SIGNALS];
    struct queue done;
    uint64_t held; /* bytes of spans in queues */
    bool finish;
    int64_t deadline_ns;
};

void otlp_message_free(struct otlp_message *message)
{
    if (message == NULL)
        return;
    free(message->body);
    free(message->workers);
    free(message);
}

static void queue_put(struct queue *queue, struct otlp_message *message)
{
    message->next = NULL;
    *queue->end = message;
    queue->end = &message->next;
}

static struct otlp_message *queue_take(struct queue *queue)
{
    struct otlp_message *message = queue->first;
    queue->first = message->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    return message;
}

/* ---- with the lock held ---- */

/* The lane's first message comes back. */
static void give_back(struct otlp_sender *sender, struct lane *lane)
{
    struct otlp_message *message = queue_take(&lane->queue);
    sender->held -= message->held;
    queue_put(&sender->done, message);
    pthread_cond_signal(&sender->came_back);
}

static void tell_trouble(struct lane *lane, const struct otlp_message *message)
{
    bool troubled = message->outcome != OTLP_ACCEPTED;
    if (troubled == lane->troubled)
        return;
    lane->troubled = troubled;
    lane->told = false;
    snprintf(lane->trouble, sizeof(lane->trouble), "%s", troubled ? message->why : "");
}

/* Half of it is sure, half by chance: receivers that come back are not met by everybody at once. */
static int64_t jittered(int64_t pause_ns)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = UINT32_MAX / 2;
    return pause_ns / 2 + (int64_t)((double)random / UINT32_MAX * (double)(pause_ns / 2));
}

static void attempt_ended(struct otlp_sender *sender, struct lane *lane, bool final, int64_t least_ns)
{
    struct otlp_message *message = lane->queue.first;
    int64_t now_ns = clock_mono_now();
    lane->busy = false;
    tell_trouble(lane, message);
    if (final) {
        lane->pause_ns = lane->next_ns = 0;
        give_back(sender, lane);
        return;
    }
    lane->pause_ns = lane->pause_ns > 0 ? 2 * lane->pause_ns : PAUSE_FIRST_NS;
    if (lane->pause_ns > PAUSE_LAST_NS)
        lane->pause_ns = PAUSE_LAST_NS;
    int64_t pause_ns = jittered(lane->pause_ns);
    lane->asked_to_wait = least_ns > pause_ns;
    lane->next_ns = now_ns + (lane->asked_to_wait ? least_ns : pause_ns);
    if (lane->next_ns - message->first_ns > TRY_FOR_NS)
        give_back(sender, lane);
}

static void start_lanes(struct otlp_sender *sender, int64_t now_ns)
{
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        struct lane *lane = &sender->lane[i];
        /* at the end nobody has the time for long pauses, unless the receiver asked for one */
        bool ready = now_ns >= lane->next_ns || (sender->finish && !lane->asked_to_wait && lane->pause_ns > SECOND);
        if (lane->busy || lane->queue.first == NULL || !ready)
            continue;
        struct otlp_message *message = lane->queue.first;
        if (message->attempts == 0)
            message->first_ns = now_ns;
        if (sender->finish)
            lane->pause_ns = 0;
        lane->busy = true;
        lane->under_way = message;
        int result = otlp_lane_start(&lane->line, sender->multi, message);
        if (result == 0)
            continue;
        message->outcome = OTLP_REFUSED;
        message->cause = "no_memory";
        snprintf(message->why, sizeof(message->why), "%s", strerror(-result));
        attempt_ended(sender, lane, true, 0);
    }
}

static bool is_idle(const struct otlp_sender *sender)
{
    for (unsigned i = 0; i < OTLP_SIGNALS; i++)
        if (sender->lane[i].queue.first != NULL)
            return false;
    return true;
}

/* When the next thing is to be done that no socket tells of. */
static int64_t next_look(const struct otlp_sender *sender, int64_t now_ns)
{
    int64_t next = now_ns + SLEEP_NS;
    if (sender->finish && is_idle(sender))
        return now_ns;
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        const struct lane *lane = &sender->lane[i];
        if (!lane->busy && lane->queue.first != NULL && lane->next_ns < next)
            next = lane->next_ns;
    }
    return sender->finish && sender->deadline_ns < next ? sender->deadline_ns : next;
}

/* ---- the thread ---- */

static void collect_answers(struct otlp_sender *sender)
{
    int left;
    for (CURLMsg *answer; (answer = curl_multi_info_read(sender->multi, &left)) != NULL;) {
        if (answer->msg != CURLMSG_DONE)
            continue;
        CURLcode code = answer->data.result;
        struct lane *lane = &sender->lane[OTLP_METRICS];
        if (answer->easy_handle != lane->line.easy)
            lane = &sender->lane[OTLP_TRACES];
        int64_t pause_ns;
        bool final = otlp_lane_judge(&lane->line, code, lane->under_way, &pause_ns);
        curl_multi_remove_handle(sender->multi, lane->line.easy);
        pthread_mutex_lock(&sender->lock);
        attempt_ended(sender, lane, final, pause_ns);
        pthread_mutex_unlock(&sender->lock);
    }
}

/* False: the end. *ret_next_ns: when to look again at the latest. */
static bool serve(struct otlp_sender *sender, int64_t *ret_next_ns)
{
    int64_t now_ns = clock_mono_now();
    pthread_mutex_lock(&sender->lock);
    bool ends = sender->finish && (now_ns >= sender->deadline_ns || is_idle(sender));
    if (!ends)
        start_lanes(sender, now_ns);
    *ret_next_ns = next_look(sender, now_ns);
    pthread_mutex_unlock(&sender->lock);
    return !ends;
}

static void *run(void *argument)
{
    struct otlp_sender *sender = argument;
    int64_t next_ns;
    int running;
    while (serve(sender, &next_ns)) {
        curl_multi_perform(sender->multi, &running);
        collect_answers(sender);
        pthread_mutex_lock(&sender->lock);
        next_ns = next_look(sender, clock_mono_now());
        pthread_mutex_unlock(&sender->lock);
        int64_t wait_ms = (next_ns - clock_mono_now() + 999999) / 1000000;
        curl_multi_poll(sender->multi, NULL, 0, wait_ms > 0 ? (int)wait_ms : 0, NULL);
    }
    return NULL;
}

/* ---- the reporter's side ---- */

int otlp_sender_push(struct otlp_sender *sender, struct otlp_message *message)
{
    int result = 0;
    pthread_mutex_lock(&sender->lock);
    message->held = message->signal == OTLP_TRACES ? message->length : 0;
    if (message->held > 0 && sender->held + message->held > sender->settings->buffer_bytes) {
        result = -ENOBUFS;
    } else {
        sender->held += message->held;
        queue_put(&sender->lane[message->signal].queue, message);
    }
    pthread_mutex_unlock(&sender->lock);
    if (result == 0)
        curl_multi_wakeup(sender->multi);
    return result;
}

void otlp_sender_supersede(struct otlp_sender *sender)
{
    struct lane *lane = &sender->lane[OTLP_METRICS];
    pthread_mutex_lock(&sender->lock);
    struct otlp_message *under_way = lane->busy ? queue_take(&lane->queue) : NULL;
    while (lane->queue.first != NULL) {
        lane->queue.first->outcome = OTLP_UNDELIVERED;
        give_back(sender, lane);
    }
    if (under_way != NULL)
        queue_put(&lane->queue, under_way);
    pthread_mutex_unlock(&sender->lock);
}

struct otlp_message *otlp_sender_done(struct otlp_sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    struct otlp_message *first = sender->done.first;
    sender->done = (struct queue){.end = &sender->done.first};
    pthread_mutex_unlock(&sender->lock);
    return first;
}

void otlp_sender_wait(struct otlp_sender *sender, int64_t deadline_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_ns / SECOND), .tv_nsec = (long)(deadline_ns % SECOND)};
    int error = 0;
    pthread_mutex_lock(&sender->lock);
    while (sender->done.first == NULL && !error)
        error = pthread_cond_timedwait(&sender->came_back, &sender->lock, &until);
    pthread_mutex_unlock(&sender->lock);
}

bool otlp_sender_trouble(struct otlp_sender *sender, enum otlp_signal signal, char *why, size_t why_size)
{
    struct lane *lane = &sender->lane[signal];
    pthread_mutex_lock(&sender->lock);
    bool changed = !lane->told;
    lane->told = true;
    if (changed)
        snprintf(why, why_size, "%s", lane->trouble);
    pthread_mutex_unlock(&sender->lock);
    return changed;
}

void otlp_sender_finish(struct otlp_sender *sender, int64_t deadline_ns)
{
    if (!sender->runs)
        return;
    pthread_mutex_lock(&sender->lock);
    sender->finish = true;
    sender->deadline_ns = deadline_ns;
    pthread_mutex_unlock(&sender->lock);
    curl_multi_wakeup(sender->multi);
    pthread_join(sender->thread, NULL);
    sender->runs = false;
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        struct lane *lane = &sender->lane[i];
        if (lane->busy)
            curl_multi_remove_handle(sender->multi, lane->line.easy);
        while (lane->queue.first != NULL) {
            lane->queue.first->outcome = OTLP_UNDELIVERED;
            if (lane->queue.first->cause == NULL)
                lane->queue.first->cause = "unsent";
            give_back(sender, lane);
        }
        lane->busy = false;
    }
}

int otlp_sender_make(const struct otlp_settings *settings, struct otlp_sender **ret_sender)
{
    struct otlp_sender *sender = calloc(1, sizeof(*sender));
    if (sender == NULL)
        return -ENOMEM;
    sender->settings = settings;
    sender->done.end = &sender->done.first;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->came_back, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&sender->lock, NULL);
    sender->multi = curl_multi_init();
    int result = sender->multi != NULL ? 0 : -ENOMEM;
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        struct lane *lane = &sender->lane[i];
        lane->told = true;
        lane->queue.end = &lane->queue.first;
        if (result == 0)
            result = otlp_lane_make(&settings->target[i], &lane->line);
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (result == 0)
        result = -pthread_create(&sender->thread, NULL, run, sender);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result < 0) {
        otlp_sender_free(sender);
        return result;
    }
    sender->runs = true;
    pthread_setname_np(sender->thread, "gb-otlp-send");
    *ret_sender = sender;
    return 0;
}

void otlp_sender_free(struct otlp_sender *sender)
{
    if (sender == NULL)
        return;
    otlp_sender_finish(sender, 0);
    struct otlp_message *next;
    for (struct otlp_message *message = sender->done.first; message != NULL; message = next) {
        next = message->next;
        otlp_message_free(message);
    }
    for (unsigned i = 0; i < OTLP_SIGNALS; i++)
        otlp_lane_clear(&sender->lane[i].line);
    curl_multi_cleanup(sender->multi);
    pthread_cond_destroy(&sender->came_back);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}
