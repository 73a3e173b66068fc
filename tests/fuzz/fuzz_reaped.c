/* SPDX-License-Identifier: MIT */
/* The file `reaped`, as anybody may have left it. Must hold: each line is either a segment or unreadable, and a right line is a segment. */
#include <string.h>

#include "collector/reap.h"
#include "tests/fuzz/fuzz.h"

static void parse(const void *data, size_t size, struct reaped *sums)
{
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
    CHECK(file);
    reap_parse(file, sums);
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char right[] = "\n0123456789abcdef0123456789abcdef 1 a b attempted=3 delivered=2 lost=1\n";
    struct reaped sums = {0}, more = {0};
    uint64_t lines = size && data[size - 1] != '\n';
    if (!size)
        return 0;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    parse(data, size, &sums);
    CHECK(sums.segments + sums.unreadable == lines);
    char *text = malloc(size + sizeof(right));
    CHECK(text);
    memcpy(text, data, size);
    memcpy(text + size, right, sizeof(right) - 1);
    parse(text, size + sizeof(right) - 1, &more);
    CHECK(more.segments >= sums.segments + 1);
    if (data[size - 1] == '\n') /* else its last line was unreadable, and has an end now */
        CHECK(more.segments == sums.segments + 1 && more.delivered - sums.delivered == 2);
    free(text);
    return 0;
}
