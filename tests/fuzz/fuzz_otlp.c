/* SPDX-License-Identifier: MIT */
/* What a receiver of OTLP answers. Must hold: no read outside the body; the text for people is terminated and has no control characters. */
#include <string.h>

#include "collector/reporters/otlp_answer.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const char *text, size_t size)
{
    CHECK(memchr(text, 0, size));
    for (; *text; text++)
        CHECK((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[64];
    uint64_t rejected;
    memset(why, 'x', sizeof(why));
    otlp_answer_partial(data, size, &rejected, why, sizeof(why));
    check_text(why, sizeof(why));
    memset(why, 'x', sizeof(why));
    otlp_answer_status(data, size, why, sizeof(why));
    check_text(why, sizeof(why));
    return 0;
}
