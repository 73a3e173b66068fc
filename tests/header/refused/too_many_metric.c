/* SPDX-License-Identifier: MIT */
/* refused: at most 16 attributes */
#include <gb/telemetry.h>
void f(int n, const char *name);
void f(int n, const char *name)
{
    (void)n, (void)name;
    GB_COUNT("s", 1, GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1),
             GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1),
             GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1), GB_KV("a", 1));
}
