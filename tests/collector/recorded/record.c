/* SPDX-License-Identifier: MIT */
/*
 * The worker whose segments are kept here, one of each version of the format that was ever written. Uses nothing that the
 * first of them did not have. Its events are those that test_versions.py expects.
 *
 *   cc record.c -o record ...                 against the library of that version
 *   GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_RING_BYTES=16384 GEMINI_BATCH_TELEMETRY_DIR=DIRECTORY ./record
 *   gzip -9 -n <DIRECTORY/gb-*.seg >VERSION.seg.gz
 */
#include <gb/telemetry.h>
#include <unistd.h>

int main(void)
{
    for (int i = 0; i < 40; i++) {
        GB_SCOPE ("batch", GB_KV("i", i), GB_KV("name", "file \xc3\xa4"), GB_KV("ratio", 0.5), GB_KV("last", i == 39)) {
            GB_SCOPE ("load")
                GB_COUNT("items", i);
            GB_GAUGE("fill", -1.5, GB_KV("token", "a secret"));
            GB_METRIC("wait", 18446744073709551615ull);
        }
    }
    struct gb_span span = GB_BEGIN("fetch", GB_KV("nothing", (const char *)0));
    gb_end(&span);
    gb_timing(gb_name("made.%d", 7), 1000000000, 3000000000, NULL, 0);
    for (int i = 0; i < 300;
         i++) /* its ring of 16 KiB holds 256 slots: what does not fit is dropped by 1.0, folded by 1.1 */
        GB_COUNT("flood", 1);
    GB_SCOPE ("open", GB_KV("file", "the last one"))
        _exit(0); /* as killed: the collector tells of it */
}
