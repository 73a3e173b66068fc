/* SPDX-License-Identifier: MIT */
/*
 * What follows --reporter. Must hold: a spec that can be freed, or a sentence; a right one parses to the same again, and its copy
 * is the same. Plug-ins are left out: their files are opened by the dynamic linker.
 */
#include <string.h>

#include "collector/options.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[512] = "", *text = strndup((const char *)data, size);
    struct reporter_spec spec, again;
    CHECK(text);
    size_t name = strcspn(text, ":");
    if (!memchr(text, '/', name) && !(name >= 3 && !memcmp(text + name - 3, ".so", 3))) {
        int result = reporter_spec_parse(text, &spec, error, sizeof(error));
        CHECK(!result || error[0]);
        if (!result) {
            CHECK(!reporter_spec_parse(text, &again, error, sizeof(error)) && spec.reporter == again.reporter);
            struct reporter_spec copy;
            CHECK(!reporter_spec_copy(&spec, &copy) && reporter_spec_is_same(&spec, &copy));
            CHECK(reporter_spec_is_same(&spec, &again));
            reporter_spec_clear(&copy);
            reporter_spec_clear(&spec);
            reporter_spec_clear(&again);
        }
    }
    free(text);
    return 0;
}
