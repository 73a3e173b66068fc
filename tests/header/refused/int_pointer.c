/* SPDX-License-Identifier: MIT */
/* refused: . */
#include <gb/telemetry.h>
void f(int n, const char *name);
void f(int n, const char *name)
{
    (void)n, (void)name;
    GB_ATTR("p", &n);
}
