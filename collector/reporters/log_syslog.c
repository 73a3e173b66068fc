/* SPDX-License-Identifier: MIT */
/* See log_syslog.h. */
#include "collector/reporters/log_syslog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/reporters/datagram.h"
#include "collector/reporters/output.h"

#define STANDARD_SOCKET "/dev/log"
#define MESSAGE_MAX 8096 /* bytes: what rsyslog takes unless it is told otherwise; it would cut a longer one */
#define PATIENCE_NS 10000000000

#define SAY(syslog, ...) (syslog)->setup->say((syslog)->setup->collector, __VA_ARGS__)

struct line {
    uint32_t length; /* without the newline */
    bool counted;
};

struct log_syslog {
    const struct gb_reporter_setup *setup;
    const char *socket;
    int fd; /* -1: not connected */
    unsigned priority;
    struct output text; /* a buffer of lines, no file */
    struct line *lines; /* [next, count) stand in the text */
    size_t next, count, capacity;
    int64_t absent_ns;   /* since when the daemon is away; 0: it is there */
    bool given_up;       /* away for longer than it is waited for */
    const char *trouble; /* the cause that was told last; NULL: all is well */
    time_t second;       /* of the header */
    char header[96];
    size_t header_length;
};

const char *log_syslog_socket(const char *path)
{
    if (strcmp(path, "syslog") == 0)
        return STANDARD_SOCKET;
    return strncmp(path, "syslog:", 7) == 0 ? path + 7 : NULL;
}

static int connect_daemon(struct log_syslog *syslog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, syslog->socket, strlen(syslog->socket) + 1);
    return datagram_connect((const struct sockaddr *)&address, sizeof(address), &syslog->fd);
}

int log_syslog_open(const struct gb_reporter_setup *setup, const char *socket, unsigned facility,
                    struct log_syslog **ret_syslog)
{
    static const int facilities[] = {LOG_DAEMON, LOG_USER,   LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2,
                                     LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
    struct log_syslog *syslog = NULL;
    size_t length = strlen(socket);

    if (length == 0 || length >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        setup->say(setup->collector, "path=syslog:%s: the path of a socket, of 1 to %zu bytes, is needed", socket,
                   sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
        return -EINVAL;
    }
    syslog = calloc(1, sizeof(*syslog));
    if (!syslog)
        return -ENOMEM;
    *syslog = (struct log_syslog){.setup = setup,
                                  .socket = socket,
                                  .fd = -1,
                                  .priority = (unsigned)(facilities[facility] | LOG_INFO),
                                  .text = {.fd = -1}};
    int error = connect_daemon(syslog);
    if (error == -EPROTOTYPE) {
        SAY(syslog, "%s is a stream socket; a syslog daemon with a datagram socket is needed", socket);
        log_syslog_free(syslog);
        return error;
    }
    if (error) {
        SAY(syslog, "no syslog daemon at %s: %s; lines are dropped and counted until there is one", socket,
            strerror(-error));
        syslog->trouble = "no_listener";
        syslog->absent_ns = clock_mono_now();
        syslog->given_up = true;
    }
    *ret_syslog = syslog;
    return 0;
}

void log_syslog_free(struct log_syslog *syslog)
{
    if (!syslog)
        return;
    if (syslog->fd >= 0)
        close(syslog->fd);
    output_close(&syslog->text);
    free(syslog->lines);
    free(syslog);
}

char *log_syslog_room(struct log_syslog *syslog, size_t bytes)
{
    if (syslog->count == syslog->capacity) {
        size_t wanted = 2 * syslog->capacity + 1024;
        struct line *larger = reallocarray(syslog->lines, wanted, sizeof(*larger));
        if (!larger)
            return NULL;
        syslog->lines = larger;
        syslog->capacity = wanted;
    }
    return output_room(&syslog->text, bytes);
}

void log_syslog_add(struct log_syslog *syslog, const char *end, bool counted)
{
    size_t length = (size_t)(end - syslog->text.data) - syslog->text.used;
    syslog->lines[syslog->count++] = (struct line){.length = (uint32_t)length - 1, .counted = counted};
    output_add(&syslog->text, end);
}

size_t log_syslog_held(const struct log_syslog *syslog)
{
    return output_held(&syslog->text);
}

static void make_header(struct log_syslog *syslog)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec"; /* whatever the locale says */
    time_t now = time(NULL);
    struct tm local;

    if (now == syslog->second)
        return;
    localtime_r(&now, &local);
    int length = snprintf(syslog->header, sizeof(syslog->header),
                          "<%u>%.3s %2d %02d:%02d:%02d gb-collector[%d]: ", syslog->priority, months + 3 * local.tm_mon,
                          local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, (int)getpid());
    syslog->header_length = (size_t)length < sizeof(syslog->header) ? (size_t)length : sizeof(syslog->header) - 1;
    syslog->second = now;
}

/* One attempt at one line. */
static int send_line(struct log_syslog *syslog, const struct line *line)
{
    struct iovec parts[] = {{syslog->header, syslog->header_length},
                            {syslog->text.data + syslog->text.written, line->length}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    int error = syslog->fd < 0 ? connect_daemon(syslog) : 0;

    if (error)
        return error;
    if (syslog->header_length + line->length > MESSAGE_MAX)
        return -EMSGSIZE;
    if (sendmsg(syslog->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    error = errno;
    return error == ENOBUFS || error == ENOMEM ? -EAGAIN : -error;
}

static void lose(struct log_syslog *syslog, const struct line *line, const char *cause, int error)
{
    if (line->counted)
        syslog->setup->count_drop(syslog->setup->collector, cause, 1);
    if (syslog->trouble && strcmp(syslog->trouble, cause) == 0)
        return;
    syslog->trouble = cause;
    SAY(syslog, "cannot send to %s: %s; what it does not take is dropped and counted as %s", syslog->socket,
        strerror(error), cause);
}

static void take_line(struct log_syslog *syslog, const struct line *line)
{
    syslog->text.written += line->length + 1;
    syslog->next++;
}

/* The daemon is not there. True: it is waited for. */
static bool wait_for_daemon(struct log_syslog *syslog)
{
    int64_t now = clock_mono_now();

    if (syslog->fd >= 0)
        close(syslog->fd); /* the next one makes a new socket */
    syslog->fd = -1;
    syslog->absent_ns = syslog->absent_ns ? syslog->absent_ns : now;
    syslog->given_up |= now - syslog->absent_ns > PATIENCE_NS || syslog->setup->deadline(syslog->setup->collector) != 0;
    return !syslog->given_up;
}

static void note_sent(struct log_syslog *syslog)
{
    if (syslog->given_up || syslog->trouble)
        SAY(syslog, "%s takes lines again", syslog->socket);
    syslog->given_up = false;
    syslog->absent_ns = 0;
    syslog->trouble = NULL;
}

int log_syslog_send(struct log_syslog *syslog, int wait_ms)
{
    int64_t until_ns = clock_mono_now() + wait_ms * 1000000ll;
    int away = 0; /* its error, once known: one attempt a call is enough */

    make_header(syslog);
    while (syslog->next < syslog->count) {
        const struct line *line = &syslog->lines[syslog->next];
        int error = away ? away : send_line(syslog, line);
        if (error == -EINTR)
            continue;
        if (error == -EAGAIN) {
            if (!datagram_wait(syslog->fd, until_ns))
                return -EAGAIN;
            continue;
        }
        const char *cause = error ? datagram_cause(-error) : NULL;
        if (cause && strcmp(cause, "no_listener") == 0) {
            if (!away && wait_for_daemon(syslog))
                return -EAGAIN;
            away = error;
        }
        if (cause)
            lose(syslog, line, cause, -error);
        else if (syslog->absent_ns || syslog->trouble)
            note_sent(syslog);
        take_line(syslog, line);
    }
    syslog->next = syslog->count = 0;
    output_discard(&syslog->text);
    return 0;
}
