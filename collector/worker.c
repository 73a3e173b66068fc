/* SPDX-License-Identifier: MIT */
/* See worker.h. The struct gb_worker stands first in an allocation that holds its texts as well. */
#include "collector/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/utf8.h"

#define TEXT_BYTES (3 * 64 + 1) /* each byte of the header's 64 may become a U+FFFD */

struct worker {
    struct gb_worker view;
    char program[TEXT_BYTES], service[TEXT_BYTES];
};

/* A bit for each number in use. */
static uint64_t *numbers;
static size_t number_words;
static pthread_mutex_t numbers_change = PTHREAD_MUTEX_INITIALIZER;

static int number_take(uint32_t *ret_number)
{
    int error = 0;
    size_t word = 0;
    pthread_mutex_lock(&numbers_change);
    while (word < number_words && numbers[word] == UINT64_MAX)
        word++;
    if (word == number_words) {
        uint64_t *more = realloc(numbers, (number_words + 16) * sizeof(*numbers));
        if (more) {
            memset(more + number_words, 0, 16 * sizeof(*numbers));
            numbers = more;
            number_words += 16;
        } else {
            error = -ENOMEM;
        }
    }
    if (!error) {
        unsigned bit = (unsigned)__builtin_ctzll(~numbers[word]);
        numbers[word] |= 1ull << bit;
        *ret_number = (uint32_t)(word * 64 + bit);
    }
    pthread_mutex_unlock(&numbers_change);
    return error;
}

static void number_put(uint32_t number)
{
    pthread_mutex_lock(&numbers_change);
    numbers[number / 64] &= ~(1ull << (number % 64));
    pthread_mutex_unlock(&numbers_change);
}

static char host[3 * 64 + 1];

static void read_host(void)
{
    char name[65] = "";
    if (gethostname(name, sizeof(name) - 1))
        name[0] = 0;
    utf8_clean(host, sizeof(host), name, strlen(name));
}

const char *worker_host(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_host);
    return host;
}

void worker_segment_text(const uint8_t id[16], char ret_text[33])
{
    static const char digit[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        ret_text[2 * i] = digit[id[i] >> 4];
        ret_text[2 * i + 1] = digit[id[i] & 15];
    }
    ret_text[32] = 0;
}

static const char *clock_name(uint32_t clock)
{
    return clock == GBW_CLOCK_TSC ? "tsc" : clock == GBW_CLOCK_ARM ? "arm" : "monotonic";
}

int worker_make(const struct gbw_header *header, struct gb_worker **ret_worker)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return -ENOMEM;
    int error = number_take(&worker->view.id);
    if (error) {
        free(worker);
        return error;
    }
    utf8_clean(worker->program, sizeof(worker->program), header->program,
               strnlen(header->program, sizeof(header->program)));
    utf8_clean(worker->service, sizeof(worker->service), header->service,
               strnlen(header->service, sizeof(header->service)));
    worker->view.pid = header->pid;
    worker->view.program = worker->program;
    worker->view.service = worker->service;
    worker->view.host = worker_host();
    worker->view.start_wall_ns = header->anchor.wall_ns;
    worker->view.clock = clock_name(header->clock);
    worker_segment_text(header->segment_id, worker->view.segment);
    *ret_worker = &worker->view;
    return 0;
}

void worker_free(struct gb_worker *worker)
{
    if (!worker)
        return;
    number_put(worker->id);
    free(worker);
}
