/* SPDX-License-Identifier: MIT */
/*
 * A worker for the tests of `gb`: worker STEPS [MILLISECONDS] [HOW]. A scope "job" with STEPS scopes "step" inside, each as
 * long as it is told; then, inside of "job": `exit=N`, `signal=N`, `wait` (for a signal, after a line "waiting"), `until=FILE` (a
 * scope each millisecond until that file exists), or `fork` (a child that waits until standard input ends, which outlives its
 * parent).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gb/telemetry.h>

/* It has emitted when this returns, and goes on when its stdin ends. */
static void leave_orphan(void)
{
    int emitted[2];
    char byte;
    if (pipe(emitted))
        exit(1);
    if (fork() == 0) {
        GB_COUNT("orphans", 1);
        puts("orphaned");
        fflush(stdout);
        close(emitted[0]);
        close(emitted[1]);
        while (read(STDIN_FILENO, &byte, 1) == 1)
            ;
        GB_COUNT("last_words", 1);
        _exit(0);
    }
    close(emitted[1]);
    while (read(emitted[0], &byte, 1) == 1)
        ;
}

static void end_as_told(const char *how)
{
    if (strncmp(how, "signal=", 7) == 0)
        raise(atoi(how + 7));
    else if (strcmp(how, "wait") == 0) {
        puts("waiting");
        fflush(stdout);
        for (;;)
            pause();
    } else if (strncmp(how, "until=", 6) == 0) {
        while (access(how + 6, F_OK) != 0)
            GB_SCOPE ("more")
                usleep(1000);
    } else if (strcmp(how, "fork") == 0) {
        leave_orphan();
    }
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 1, milliseconds = argc > 2 ? atoi(argv[2]) : 0;
    const char *how = argc > 3 ? argv[3] : "";
    GB_SCOPE ("job") {
        for (int i = 0; i < steps; i++)
            GB_SCOPE ("step", GB_KV("i", i)) {
                if (milliseconds > 0)
                    usleep((useconds_t)milliseconds * 1000);
                GB_COUNT("items", 3);
                GB_GAUGE("level", 0.5 * i);
            }
        end_as_told(how);
    }
    return strncmp(how, "exit=", 5) == 0 ? atoi(how + 5) : 0;
}
