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
#define ALONE __attribute__((noinline)) void

static ALONE scope(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope")
            __asm__ volatile("" ::: "memory");
}

/* Two calls. The compiler puts the object of the inner one above the other's: whether longjmp left something takes another look. */
static ALONE nested(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope")
            GB_SCOPE ("nested")
                __asm__ volatile("" ::: "memory");
}

static ALONE scope_3(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u))
            __asm__ volatile("" ::: "memory");
}

static ALONE scope_8(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u), GB_KV("d", 4), GB_KV("e", 5), GB_KV("f", 6),
                  GB_KV("g", 7), GB_KV("h", 8))
            __asm__ volatile("" ::: "memory");
}

static ALONE scope_text(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope", GB_KV("model", "a-model-name"))
            __asm__ volatile("" ::: "memory");
}

static ALONE counter(int n)
{
    for (int i = 0; i < n; i++)
        GB_COUNT("counter", 3);
}

static ALONE loop(int n)
{
    for (int i = 0; i < n; i++)
        __asm__ volatile("" ::: "memory");
}

/* callgrind counts what runs inside this function. */
ALONE measured(void (*run)(int n));
ALONE measured(void (*run)(int n))
{
    run(CALLS);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(int n);
    } kinds[] = {{"scope", scope},           {"nested", nested},   {"scope_3", scope_3}, {"scope_8", scope_8},
                 {"scope_text", scope_text}, {"counter", counter}, {"loop", loop}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (argc == 2 && strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].run(10);
            measured(kinds[i].run);
            printf("%d\n", gb_enabled());
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: instructions scope|nested|scope_3|scope_8|scope_text|counter|loop\n");
    return 2;
}
