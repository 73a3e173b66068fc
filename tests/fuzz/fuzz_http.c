/* SPDX-License-Identifier: MIT */
/*
 * Requests to the reporter prometheus, as bytes on a connection (FAULTS 34). Must hold: it answers or hangs up, what it answers is HTTP,
 * and it is there for the next one. Also the two headers by themselves.
 */
#include <string.h>
#include <sys/socket.h>

#include "collector/reporters/prometheus_accept.h"
#include "tests/fuzz/fuzz.h"
#include "tests/reporters/prometheus_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct prometheus_harness harness;
    static bool open;
    char *text = strndup((const char *)data, size);
    size_t length;
    CHECK(text);
    CHECK(prometheus_accept(text));
    prometheus_accepts_gzip(text);
    if (!open)
        CHECK(!prometheus_harness_open(&harness, ""));
    open = true;
    int fd = prometheus_connect(&harness);
    if (fd >= 0) {
        const struct linger gone = {.l_onoff = 1};
        char *request = malloc(strlen(text) + sizeof("\r\nConnection: close\r\n\r\n"));
        CHECK(request);
        sprintf(request, "%s\r\nConnection: close\r\n\r\n", text);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, sizeof(gone)); /* or all ports wait for their end */
        char *answer = prometheus_exchange(fd, request, 1, &length);
        CHECK(!answer || !length || !strncmp(answer, "HTTP/1.", 7));
        free(answer);
        free(request);
    }
    free(text);
    return 0;
}
