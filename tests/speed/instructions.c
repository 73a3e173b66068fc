/* SPDX-License-Identifier: MIT */
/*
 * What instructions.sh counts: CALLS calls of one kind inside a function of its own. usage: instructions KIND
 * Names are interned and pages touched before; no collector: the ring has room for all of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gb/telemetry.h>

#define CALLS 1000
#define MEASURED __attribute__((noinline)) void

MEASURED measured_scope(int n);
MEASURED measured_scope(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope")
            __asm__ volatile("" ::: "memory");
}

MEASURED measured_scope_3(int n);
MEASURED measured_scope_3(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u))
            __asm__ volatile("" ::: "memory");
}

MEASURED measured_counter(int n);
MEASURED measured_counter(int n)
{
    for (int i = 0; i < n; i++)
        GB_COUNT("counter", 3);
}

MEASURED measured_loop(int n);
MEASURED measured_loop(int n)
{
    for (int i = 0; i < n; i++)
        __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(int n);
    } kinds[] = {{"scope", measured_scope},
                 {"scope_3", measured_scope_3},
                 {"counter", measured_counter},
                 {"loop", measured_loop}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (argc == 2 && strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].run(10);
            kinds[i].run(CALLS);
            printf("%d\n", gb_enabled());
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: instructions scope|scope_3|counter|loop\n");
    return 2;
}
