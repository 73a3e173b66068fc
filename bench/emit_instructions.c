/* SPDX-License-Identifier: MIT */
/*
 * Instructions a call: this program runs itself under callgrind, which writes one count for each kind. The same on every run,
 * however busy the machine. See emit.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "bench/emit.h"
#include "bench/kinds.h"
#include "bench/lost.h"
#include "bench/result.h"

#define CALLS 400 /* divides by 4, 16 and 40 with little rest */

static __attribute__((noinline)) void loop(int n)
{
    for (int i = 0; i < n; i++)
        __asm__ volatile("" ::: "memory");
}

/* callgrind counts what runs inside this function, and writes the count when it is left. */
__attribute__((noinline)) void bench_measured(void (*run)(int calls));
void bench_measured(void (*run)(int calls))
{
    run(CALLS);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

int emit_instructions_child(void)
{
    kinds_warm();
    uint32_t state = gb_switch_.state;
    bench_measured(loop);
    for (size_t i = 0; i < kind_count; i++) {
        if (kinds[i].disabled)
            gb_switch_.state = GB_OFF_;
        bench_measured(kinds[i].run);
        gb_switch_.state = state;
    }
    return bench_lost() == 0 && gb_enabled() ? 0 : 1;
}

static int run_callgrind(const char *self, const char *out)
{
    char path[4096], option[128];
    ssize_t length = readlink(self, path, sizeof path - 1);
    if (length <= 0)
        return -errno;
    path[length] = '\0';
    snprintf(option, sizeof option, "--callgrind-out-file=%s", out);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        setenv("GEMINI_BATCH_TELEMETRY_CLOCK", "tsc", 1); /* valgrind hides that the counter is invariant */
        setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "8388608", 1);
        setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "536870912", 1);
        execlp("valgrind", "valgrind", "--tool=callgrind", option, "--toggle-collect=bench_measured",
               "--dump-after=bench_measured", path, "--count", (char *)NULL);
        _exit(127);
    }
    int status = -1;
    if (pid > 0)
        waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double count_in(const char *out, size_t number)
{
    char path[160], line[256];
    double count = -1;
    snprintf(path, sizeof path, "%s.%zu", out, number);
    FILE *file = fopen(path, "r");
    while (file && count < 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, "totals:", 7) == 0 || strncmp(line, "summary:", 8) == 0)
            count = strtod(strchr(line, ':') + 1, NULL);
    }
    if (file)
        fclose(file);
    unlink(path);
    return count;
}

void emit_instructions(const struct emit *emit, const char *self)
{
    char out[96];
    fprintf(stderr, "bench-emit: instructions\n");
    snprintf(out, sizeof out, "%s/callgrind", emit->directory);
    int status = run_callgrind(self, out);
    double empty = count_in(out, 1);
    for (size_t i = 0; i < kind_count; i++) {
        char name[64];
        double count = count_in(out, i + 2);
        snprintf(name, sizeof name, "%s_instructions", kinds[i].name);
        if (status || count < 0 || empty < 0) {
            result_skipped("emit", name, status == 127 ? "valgrind is not installed" : "valgrind could not count");
            continue;
        }
        result_value((struct result){.part = "emit",
                                     .name = name,
                                     .unit = "instructions",
                                     .calls_per_sample = CALLS,
                                     .note = strcmp(kinds[i].name, "scope") == 0 ? "target: 100" : NULL},
                     (count - empty) / CALLS);
    }
    unlink(out);
}
