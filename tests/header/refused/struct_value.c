/* SPDX-License-Identifier: MIT */
/* refused: . */
#include <gb/telemetry.h>
void f(int n, const char *name);
void f(int n, const char *name)
{
    (void)n, (void)name;
    struct {
        int a;
    } s = {1};
    GB_ATTR("p", s);
}
