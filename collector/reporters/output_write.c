/* SPDX-License-Identifier: MIT */
/*
 * Writing (see output.h). What a write did not take stays in the buffer; the line that it ended in stays from its start, so that
 * it can be told whole elsewhere.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/reporters/output.h"

#define POLL_PROMISES 4096 /* bytes (PIPE_BUF): a pipe that poll calls writable takes so many without blocking */
#define ROOM_MIN (256u << 10)

/* Where the line begins of which some was written. */
static size_t line_start(const struct output *output)
{
    const char *newline = output->written ? memrchr(output->data, '\n', output->written) : NULL;
    return newline ? (size_t)(newline - output->data) + 1 : 0;
}

char *output_room(struct output *output, size_t bytes)
{
    if (output->capacity - output->used >= bytes)
        return output->data + output->used;
    size_t done = line_start(output);
    if (done > 0) {
        memmove(output->data, output->data + done, output->used - done);
        output->used -= done;
        output->written -= done;
    }
    size_t wanted = output->used + bytes;
    if (wanted > output->capacity) {
        wanted += wanted / 2 + ROOM_MIN;
        char *larger = realloc(output->data, wanted);
        if (!larger)
            return NULL;
        output->data = larger;
        output->capacity = wanted;
    }
    return output->data + output->used;
}

void output_discard(struct output *output)
{
    output->written = output->used = 0;
}

void output_rewind(struct output *output, bool cut)
{
    size_t start = line_start(output);
    struct stat status;

    if (cut && start < output->written && fstat(output->fd, &status) == 0 &&
        (size_t)status.st_size >= output->written - start &&
        ftruncate(output->fd, status.st_size - (off_t)(output->written - start)))
        return; /* then the rest follows what stands there */
    output->written = start;
}

/* What a write can raise beside its error: the reader is gone, the file is as long as it may be. */
static void block_signals(void)
{
    static __thread bool blocked;
    sigset_t set;

    if (blocked)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    blocked = true;
}

/* True: it takes something. False: not until `until_ms`. */
static bool wait_writable(const struct output *output, int64_t until_ms)
{
    struct pollfd wanted = {.fd = output->fd, .events = POLLOUT};
    int64_t left = until_ms - clock_mono_now() / 1000000;
    return poll(&wanted, 1, left > 0 ? (int)left : 0) > 0;
}

static ssize_t write_some(const struct output *output)
{
    const char *from = output->data + output->written;
    size_t bytes = output_held(output);

    switch (output->kind) {
    case OUTPUT_SOCKET:
        return send(output->fd, from, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    case OUTPUT_BLOCKING:
        if (!wait_writable(output, 0)) {
            errno = EAGAIN;
            return -1;
        }
        return write(output->fd, from, bytes < POLL_PROMISES ? bytes : POLL_PROMISES);
    default:
        return write(output->fd, from, bytes);
    }
}

/* Where the program that made the buffer large has gone quiet, it is given back. */
static void all_written(struct output *output)
{
    output_discard(output);
    if (output->capacity > 16 * ROOM_MIN) {
        free(output->data);
        output->data = NULL;
        output->capacity = 0;
    }
}

int output_write(struct output *output, int wait_ms)
{
    int64_t until = 0;

    block_signals();
    while (output_held(output) > 0) {
        ssize_t done = write_some(output);
        if (done > 0) {
            output->written += (size_t)done;
            continue;
        }
        int error = done < 0 ? errno : EAGAIN;
        if (error == EINTR)
            continue;
        if (error != EAGAIN)
            return -error;
        until = until ? until : clock_mono_now() / 1000000 + wait_ms;
        if (!wait_writable(output, until))
            return -EAGAIN;
    }
    all_written(output);
    return 0;
}

int output_end_line(struct output *output)
{
    struct stat status;
    char last;

    if (fstat(output->fd, &status))
        return -errno;
    if (status.st_size == 0 || pread(output->fd, &last, 1, status.st_size - 1) != 1 || last == '\n')
        return 0;
    return write(output->fd, "\n", 1) == 1 ? 0 : -errno;
}
