/* SPDX-License-Identifier: MIT */
/* Emits what is hard to expose: names and values with odd characters, every type of value, one name as two types, a scope that
 * longjmp leaves; dies inside a scope when its argument is "die". */
#include <gb/telemetry.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const tenants[] = {"plain",       "with \"quotes\" and \\", "two\nlines",
                                      "\x1b[31mred", "bad \xff utf-8",         "gr\xc3\xbc\xc3\x9f"};
#define TENANTS (sizeof(tenants) / sizeof(tenants[0]))

static __attribute__((noinline)) void leave(jmp_buf *to)
{
    GB_SCOPE_HERE("left");
    longjmp(*to, 1);
}

static __attribute__((noinline)) void leave_and_come_back(void)
{
    static jmp_buf back;
    if (setjmp(back) == 0)
        leave(&back);
}

static void emit(unsigned round)
{
    const char *tenant = tenants[round % TENANTS];
    GB_SCOPE ("job.run", GB_KV("tenant", tenant), GB_KV("service", 7)) {
        GB_SCOPE ("Odd-Name.2", GB_KV("tenant", tenant)) {
            GB_COUNT("items_total", 3, GB_KV("tenant", tenant));
            GB_COUNT("real", 0.25);
            GB_COUNT("big", UINT64_C(1) << 60);
            GB_COUNT("both", 1);
        }
        GB_GAUGE("both", (double)round);
        GB_GAUGE("level", round % 7 == 0 ? -1.5 : (double)round / 3);
        GB_METRIC("wait", round % 5 == 0 ? 0.0 : ldexp(1.0, (int)(round % 40) - 20), GB_KV("tenant", tenant));
        GB_METRIC("balance", (double)round - 100);
        if (round % 10 == 0)
            GB_METRIC("wait", NAN);
        if (round % 50 == 0)
            leave_and_come_back();
    }
}

int main(int count, char **arguments)
{
    for (unsigned round = 0; round < 300; round++)
        emit(round);
    GB_SCOPE ("last", GB_KV("tenant", "plain"))
        if (count > 1 && strcmp(arguments[1], "die") == 0)
            kill(getpid(), SIGKILL);
    return 0;
}
