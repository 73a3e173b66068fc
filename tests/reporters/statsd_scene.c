/* SPDX-License-Identifier: MIT */
/* See statsd_scene.h. */
#include "tests/reporters/statsd_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct synthetic worker;
struct synthetic_collector collector;
struct gb_option_value options[7];
char address[128], received[1 << 20];
unsigned datagrams;
int peer = -1;
char unix_path[64]; /* of the socket; empty: none */
static char directory[48];

static void listen_udp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(peer, (struct sockaddr *)&at, &length), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(at.sin_port));
}

void place_unix(void)
{
    snprintf(directory, sizeof(directory), "/dev/shm/gb-test-statsd-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(unix_path, sizeof(unix_path), "%s/socket", directory);
    snprintf(address, sizeof(address), "unix:%s", unix_path);
    close(peer);
}

void listen_unix(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", unix_path);
    peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
}

void receive(void)
{
    size_t used = 0;
    ssize_t got;
    datagrams = 0;
    while ((got = recv(peer, received + used, sizeof(received) - used - 2, MSG_DONTWAIT)) >= 0) {
        used += (size_t)got;
        received[used++] = '\n';
        datagrams++;
    }
    received[used] = 0;
}

void *open_it(bool datadog, bool raw, const char *labels)
{
    void *self = NULL;
    options[ADDRESS].text = address;
    options[FLAVOUR] = (struct gb_option_value){datadog ? "datadog" : "statsd", datadog};
    options[INTERVAL] = (struct gb_option_value){"10s", 10000000000};
    options[RAW] = (struct gb_option_value){raw ? "yes" : "no", raw};
    options[LABELS].text = labels;
    options[PREFIX].text = "gb";
    synthetic_setup(&collector, "statsd", options);
    assert_int_equal(STATSD.open(&collector.setup, &self), 0);
    return self;
}

static const struct gb_path *top;
const struct gb_path *step, *files, *level, *size;

void add_events(void)
{
    synthetic_worker(&worker, 0, 100, "my batch");
    synthetic_timing(&worker, step, 1234567, 0);
    synthetic_timing(&worker, step, 2000000000, 0);
    synthetic_timing(&worker, step, 5, GB_EVENT_UNFINISHED);
    synthetic_int(&worker, GB_EVENT_COUNTER, files, INT64_MAX);
    synthetic_int(&worker, GB_EVENT_COUNTER, files, 3);
    synthetic_int(&worker, GB_EVENT_GAUGE, level, 7);
    synthetic_int(&worker, GB_EVENT_GAUGE, level, -5);
    synthetic_real(&worker, GB_EVENT_SAMPLE, size, 1.5);
}

int statsd_set_up(void **state)
{
    (void)state;
    static const char *const names[] = {"DD_AGENT_HOST", "DD_DOGSTATSD_PORT", "DD_ENV", "DD_SERVICE", "DD_VERSION"};
    for (unsigned i = 0; i < 5; i++)
        unsetenv(names[i]);
    synthetic_clear();
    top = synthetic_path(NULL, "my.pipeline");
    step = synthetic_path(top, "st:ep\xc3\xa9|1");
    files = synthetic_path(top, "files");
    level = synthetic_path(top, "level");
    size = synthetic_path(top, "size");
    listen_udp();
    return 0;
}

int statsd_tear_down(void **state)
{
    (void)state;
    close(peer);
    if (*unix_path) {
        unlink(unix_path);
        rmdir(directory);
    }
    *unix_path = 0;
    synthetic_clear();
    return 0;
}
