/* SPDX-License-Identifier: MIT */
/* A line of JSON for each span, by fprintf into a buffered file on tmpfs: what one writes by hand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/peer.h"

#define BUFFER (64 << 10)
#define FILE_MOST (64 << 20)

static FILE *file;
static char buffer[BUFFER];

static void emit(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        uint64_t end = clock_now();
        fprintf(file, "{\"event\":\"timing\",\"scope\":\"%s\",\"start\":%.9f,\"duration_s\":%.9f,\"pid\":%d}\n", "item",
                (double)start * 1e-9, (double)(end - start) * 1e-9, 4711);
    }
}

static const struct peer_variant variants[] = {
    {"fprintf_json", "fprintf of a line of JSON, buffer of 64 KiB, file on tmpfs; the caller does all the work", emit,
     512},
    {0}};

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/lines.jsonl", directory);
    file = fopen(path, "w");
    if (!file) {
        int error = errno;
        snprintf(ret_error, room, "%s: %s", path, strerror(error));
        return -error;
    }
    setvbuf(file, buffer, _IOFBF, sizeof(buffer));
    return 0;
}

/* Nothing is in flight; only the file must not fill the memory. */
static void settle(void)
{
    if (ftell(file) > FILE_MOST) {
        rewind(file);
        if (ftruncate(fileno(file), 0))
            perror("gb bench: ftruncate");
    }
}

static void close_peer(void)
{
    fclose(file);
}

static const struct peer peer = {.variants = variants, .open = open_peer, .settle = settle, .close = close_peer};

int main(int argc, char **argv)
{
    return peer_main(&peer, argc, argv);
}
