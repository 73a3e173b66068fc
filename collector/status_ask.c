/* SPDX-License-Identifier: MIT */
/* See status.h: the asking side. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/status.h"

#define ANSWER_MAX (128u << 10)

static bool is_word(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length < STATUS_WORD && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static int read_field(struct status_reporter *reporter, char *field)
{
    char *value = strchr(field, '='), *end;

    if (!value)
        return -EPROTO;
    *value++ = 0;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno)
        return -EPROTO;
    const struct {
        const char *name;
        uint64_t *to;
    } known[] = {{"handed", &reporter->handed},   {"delivered", &reporter->delivered}, {"skipped", &reporter->skipped},
                 {"unknown", &reporter->unknown}, {"queued", &reporter->queued},       {"lag_ns", &reporter->lag_ns}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(field, known[i].name) == 0)
            *known[i].to = number;
    if (strcmp(field, "durable") == 0)
        reporter->durable = number == 1;
    if (strncmp(field, "dropped.", 8) != 0 || !is_word(field + 8) || reporter->causes == STATUS_CAUSES)
        return 0;
    snprintf(reporter->cause[reporter->causes].cause, STATUS_WORD, "%s", field + 8);
    reporter->cause[reporter->causes++].events = number;
    reporter->dropped += number;
    return 0;
}

/* The only line with a dot that is known. What is no file's name is passed over: it is compared with names, and never printed. */
static void read_other(const char *line, struct status *status)
{
    static const char quarantined[] = ".quarantined\t";
    const char *file = line + sizeof(quarantined) - 1;

    if (strncmp(line, quarantined, sizeof(quarantined) - 1) != 0 || strlen(file) >= STATUS_FILE ||
        status->quarantined == STATUS_QUARANTINED)
        return;
    snprintf(status->quarantined_file[status->quarantined++], STATUS_FILE, "%s", file);
}

static int read_reporter(char *line, struct status *status)
{
    char *rest = NULL, *field = strtok_r(line, "\t", &rest);
    struct status_reporter *reporter = &status->reporters[status->count];

    if (!field || !is_word(field))
        return -EPROTO;
    if (status->count == STATUS_REPORTERS)
        return 0;
    snprintf(reporter->name, sizeof(reporter->name), "%s", field);
    while ((field = strtok_r(NULL, "\t", &rest))) {
        int error = read_field(reporter, field);
        if (error)
            return error;
    }
    status->count++;
    return 0;
}

int status_parse(char *text, size_t length, struct status *ret_status)
{
    char *rest = NULL, *line;

    if (length == 0 || text[length - 1] != '\n' || strlen(text) != length)
        return -EPROTO;
    line = strtok_r(text, "\n", &rest);
    if (!line || strncmp(line, "gb-collector\t1\t", 15) != 0)
        return -EPROTO;
    while ((line = strtok_r(NULL, "\n", &rest))) {
        int error = 0;
        if (*line == '.')
            read_other(line, ret_status);
        else
            error = read_reporter(line, ret_status);
        if (error)
            return error;
    }
    return 0;
}

static int receive(int fd, char *text, size_t *ret_length)
{
    size_t length = 0;

    for (;;) {
        ssize_t got = recv(fd, text + length, ANSWER_MAX - length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        length += (size_t)got;
        if (got == 0 || length == ANSWER_MAX)
            break;
    }
    text[length] = 0;
    *ret_length = length;
    return 0;
}

int status_ask(int directory_fd, struct status *ret_status)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = 1};
    char *text = malloc(ANSWER_MAX + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;
    size_t length = 0;

    memset(ret_status, 0, sizeof(*ret_status));
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATUS_NAME, directory_fd);
    if (!text)
        error = -ENOMEM;
    else if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
             setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
             connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        error = errno == EAGAIN ? -ETIMEDOUT : -errno;
    else
        error = receive(fd, text, &length);
    if (!error)
        error = status_parse(text, length, ret_status);
    if (error)
        memset(ret_status, 0, sizeof(*ret_status));
    if (fd >= 0)
        close(fd);
    free(text);
    return error;
}
