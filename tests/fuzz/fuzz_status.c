/* SPDX-License-Identifier: MIT */
/* What answers `gb ls` on the socket in the segments' directory. Must hold: refused, or reporters with names and causes that can be printed. */
#include <errno.h>
#include <string.h>

#include "collector/status.h"
#include "tests/fuzz/fuzz.h"

static void check_word(const char *word)
{
    size_t length = strnlen(word, STATUS_WORD);
    CHECK(length > 0 && length < STATUS_WORD);
    CHECK(strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct status status = {0};
    char *text = malloc(size + 1);
    CHECK(text);
    memcpy(text, data, size);
    text[size] = 0;
    int error = status_parse(text, size, &status);
    CHECK(!error || error == -EPROTO);
    CHECK(status.count <= STATUS_REPORTERS);
    for (unsigned i = 0; i < status.count && !error; i++) {
        const struct status_reporter *reporter = &status.reporters[i];
        check_word(reporter->name);
        CHECK(reporter->causes <= STATUS_CAUSES);
        for (unsigned j = 0; j < reporter->causes; j++)
            check_word(reporter->cause[j].cause);
    }
    free(text);
    return 0;
}
