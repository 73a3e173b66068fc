/* SPDX-License-Identifier: MIT */
#include "tests/reporters/prometheus_harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "collector/options.h"

#define PATIENCE_S 60

static int64_t mono_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int prometheus_harness_open(struct prometheus_harness *harness, const char *options)
{
    char text[512];
    memset(harness, 0, sizeof(*harness));
    snprintf(text, sizeof(text), "prometheus:listen=127.0.0.1:0%s%s", *options != '\0' ? "," : "", options);
    int error = reporter_spec_parse(text, &harness->spec, harness->collector.said, sizeof(harness->collector.said));
    if (error)
        return error;
    synthetic_setup(&harness->collector, "prometheus", harness->spec.values);
    error = harness->spec.reporter->open(&harness->collector.setup, &harness->self);
    if (error)
        return error;
    const char *port = strrchr(harness->collector.said, ':');
    harness->port = (uint16_t)strtoul(port + 1, NULL, 10);
    prometheus_harness_tick(harness, 0);
    return 0;
}

void prometheus_harness_close(struct prometheus_harness *harness)
{
    if (harness->spec.reporter != NULL)
        harness->spec.reporter->close(harness->self);
    reporter_spec_clear(&harness->spec);
    synthetic_clear();
}

void prometheus_harness_tick(struct prometheus_harness *harness, int64_t after_ns)
{
    harness->spec.reporter->tick(harness->self, mono_now() + after_ns);
}

int prometheus_connect(const struct prometheus_harness *harness)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(harness->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

char *prometheus_exchange(int fd, const char *request, int seconds, size_t *ret_length)
{
    size_t length = strlen(request), room = 1 << 16, used = 0;
    char *answer = malloc(room);
    int64_t end = mono_now() + seconds * (int64_t)1000000000;
    for (size_t sent = 0; sent < length;) {
        ssize_t more = send(fd, request + sent, length - sent, MSG_NOSIGNAL);
        if (more < 0)
            break; /* the other side may answer before it has read all */
        sent += (size_t)more;
    }
    ssize_t more = -1;
    while (answer != NULL && mono_now() < end) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 100) <= 0)
            continue;
        more = read(fd, answer + used, room - used - 1);
        if (more <= 0)
            break;
        used += (size_t)more;
        if (used + 1 == room)
            answer = realloc(answer, room *= 2);
    }
    close(fd);
    if (answer == NULL || more > 0 || (more < 0 && used == 0)) {
        free(answer);
        return NULL;
    }
    answer[used] = '\0';
    if (ret_length != NULL)
        *ret_length = used;
    return answer;
}

char *prometheus_get(const struct prometheus_harness *harness, const char *path, const char *headers,
                     size_t *ret_length)
{
    char request[1024];
    int fd = prometheus_connect(harness);
    if (fd < 0)
        return NULL;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
    return prometheus_exchange(fd, request, PATIENCE_S, ret_length);
}

static bool is_own(const char *line)
{
    static const char *const own[] = {"gb_collector_", "gb_build_info", "process_"};
    if (strncmp(line, "# ", 2) == 0 && strncmp(line, "# EOF", 5) != 0)
        line += strlen("# HELP ");
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strncmp(line, own[i], strlen(own[i])) == 0)
            return true;
    return false;
}

char *prometheus_scrape(const struct prometheus_harness *harness, const char *headers)
{
    char *answer = prometheus_get(harness, "/metrics", headers, NULL);
    char *body = answer != NULL ? strstr(answer, "\r\n\r\n") : NULL;
    char *kept = answer, *saved;
    if (body == NULL) {
        free(answer);
        return NULL;
    }
    for (char *line = strtok_r(body + 4, "\n", &saved); line != NULL; line = strtok_r(NULL, "\n", &saved)) {
        if (is_own(line))
            continue;
        size_t length = strlen(line);
        memmove(kept, line, length);
        kept[length] = '\n';
        kept += length + 1;
    }
    *kept = '\0';
    return answer;
}
