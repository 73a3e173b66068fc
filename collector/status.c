/* SPDX-License-Identifier: MIT */
/* See status.h: the collector's side. */
#include "collector/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/fanout.h"
#include "collector/roster.h"

#define AT_ONCE 16 /* so that a flood of connections does not keep the thread from the rest of its work */

int status_open(int directory_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    /* by the descriptor: the directory that was checked, however long its path; the lock is ours, so the socket is nobody else's */
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATUS_NAME, directory_fd);
    if (fchmod(fd, 0600) || (unlinkat(directory_fd, STATUS_NAME, 0) && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, AT_ONCE)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void status_close(int fd, int directory_fd)
{
    if (fd < 0)
        return;
    unlinkat(directory_fd, STATUS_NAME, 0);
    close(fd);
}

static size_t put_reporter(char *out, size_t room, const struct reporter_account *account)
{
    size_t used = (size_t)snprintf(out, room,
                                   "%s\tdurable=%d\thanded=%" PRIu64 "\tdelivered=%" PRIu64 "\tskipped=%" PRIu64
                                   "\tunknown=%" PRIu64 "\tqueued=%" PRIu32 "\tlag_ns=%" PRId64,
                                   account->name, account->durable, account->handed, account->delivered,
                                   account->skipped, account->unknown, account->queued, account->lag_ns);
    for (unsigned i = 0; i < REPORTER_CAUSES && account->dropped[i].cause; i++) {
        char cause[STATUS_WORD];
        snprintf(cause, sizeof(cause), "%s", account->dropped[i].cause);
        for (char *at = cause; *at; at++) /* a plug-in's words */
            *at = *at > ' ' && *at < 0x7f && *at != '=' ? *at : '_';
        used += (size_t)snprintf(out + used, room - used, "\tdropped.%s=%" PRIu64, cause, account->dropped[i].events);
    }
    out[used++] = '\n';
    return used;
}

void status_serve(int fd, struct fanout *fanout, const struct roster *roster)
{
    enum { LINE_MAX_BYTES = 2048 }; /* a name, six numbers and all causes are less than 1,500 */
    static char answer[(ACCOUNTS_MAX + 1) * LINE_MAX_BYTES + STATUS_QUARANTINED * 128];
    struct reporter_account accounts[ACCOUNTS_MAX];
    const char *files[STATUS_QUARANTINED];

    for (int i = 0; i < AT_ONCE; i++) {
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer < 0)
            return;
        unsigned count = fanout_accounts(fanout, accounts, ACCOUNTS_MAX);
        size_t used = (size_t)snprintf(answer, LINE_MAX_BYTES, "gb-collector\t1\t%d\n", (int)getpid());
        for (unsigned k = 0; k < count; k++)
            used += put_reporter(answer + used, LINE_MAX_BYTES, &accounts[k]);
        count = roster ? roster_quarantined(roster, files, STATUS_QUARANTINED) : 0;
        for (unsigned k = 0; k < count; k++)
            used += (size_t)snprintf(answer + used, 128, ".quarantined\t%s\n", files[k]);
        /* it fits the socket's buffer; whoever has gone already gets nothing */
        if (send(peer, answer, used, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            errno = 0;
        close(peer);
    }
}
