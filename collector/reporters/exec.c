/* SPDX-License-Identifier: MIT */
/*
 * The reporter `exec`: the lines of `log` to the standard input of a program, which is started again when it ends. In: batches. Out:
 * JSON Lines through a pipe. Its own thread, which also has the program started
 * and reaped (outside.h).
 *
 * At most once: what a program had in its pipe when it died is gone with it. What it had not been given yet is kept: the
 * next one starts with a whole line. While it is slow, or waits to be started again, events wait in the buffer and then in the
 * queue, where they are dropped and counted like those of any slow reporter.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/outside.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/json.h"
#include "collector/reporters/lines.h"
#include "collector/reporters/output.h"

#define WRITE_AT (256u << 10) /* bytes held: written without waiting for the flush */
#define WAIT_MS 100           /* for a slow program, in one call */
#define PAUSE_FIRST_NS 500000000
#define PAUSE_LAST_NS 30000000000
#define STEADY_NS 10000000000 /* a program that ran so long has earned the first pause again */
#define END_MS 2000           /* from the end of its input to SIGTERM */
#define TERM_MS 500           /* from there to SIGKILL */
#define KILL_MS 5000          /* longer only where its disk hangs */

enum { OPTION_COMMAND };
static const struct gb_option exec_options[] = {
    [OPTION_COMMAND] = {"command", GB_OPTION_TEXT, NULL, NULL,
                        "what sh runs; it gets one JSON object a line on its standard input"},
    {0}};

struct exec {
    const struct gb_reporter_setup *setup;
    const char *command;
    struct lines lines;
    struct output output; /* fd -1: no program runs */
    pid_t pid;
    int64_t started_ns, start_at_ns, pause_ns;
};

#define SAY(exec, ...) (exec)->setup->say((exec)->setup->collector, __VA_ARGS__)

static int exec_check(const struct gb_reporter_setup *setup)
{
    const char *command = setup->options[OPTION_COMMAND].text;
    if (command && *command)
        return 0;
    setup->say(setup->collector, "the option command is missing: exec:command=PROGRAM");
    return -EINVAL;
}

static int exec_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    int error = exec_check(setup);
    if (error)
        return error;
    struct exec *exec = calloc(1, sizeof(*exec));
    if (!exec)
        return -ENOMEM;
    exec->setup = setup;
    exec->command = setup->options[OPTION_COMMAND].text;
    exec->output.fd = -1;
    exec->output.kind = OUTPUT_STREAM;
    exec->pause_ns = PAUSE_FIRST_NS;
    lines_init(&exec->lines, &json_format, false, setup->host);
    *ret_self = exec;
    return 0;
}

static void start_program(struct exec *exec, int64_t now)
{
    int ends[2];
    int error = pipe2(ends, O_CLOEXEC) ? -errno : 0;
    exec->started_ns = now;
    if (!error) {
        error = outside_spawn(exec->command, ends[0], &exec->pid);
        close(ends[0]);
        if (error)
            close(ends[1]);
    }
    if (error) {
        exec->pid = 0;
        exec->start_at_ns = now + exec->pause_ns;
        SAY(exec, "cannot start '%s': %s", exec->command,
            error == -EPERM ? "the sandbox knows only the commands of its start: restart the collector"
                            : strerror(-error));
        return;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    exec->output.fd = ends[1];
}

static void close_input(struct exec *exec)
{
    if (exec->output.fd >= 0)
        close(exec->output.fd);
    exec->output.fd = -1;
}

/* The program has ended: the next one begins with a whole line, after a pause that doubles while they end soon. */
static void note_end(struct exec *exec, int status, int64_t now)
{
    if (now - exec->started_ns >= STEADY_NS)
        exec->pause_ns = PAUSE_FIRST_NS;
    exec->pid = 0;
    close_input(exec);
    output_rewind(&exec->output, false);
    exec->start_at_ns = now + exec->pause_ns;
    SAY(exec, "'%s' ended with %s %d; it is started again in %.1f s", exec->command,
        WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
        (double)exec->pause_ns * 1e-9);
    exec->pause_ns = 2 * exec->pause_ns < PAUSE_LAST_NS ? 2 * exec->pause_ns : PAUSE_LAST_NS;
}

/* Looks after the program: reaps one that ended, starts the next when its time has come. True: one runs. */
static bool look_after(struct exec *exec, int64_t now)
{
    int status;
    if (exec->pid > 0 && outside_ended(exec->pid, &status))
        note_end(exec, status, now);
    if (exec->pid == 0 && now >= exec->start_at_ns)
        start_program(exec, now);
    return exec->output.fd >= 0;
}

static int exec_flush(void *self)
{
    struct exec *exec = self;
    if (output_held(&exec->output) == 0)
        return 0;
    if (!look_after(exec, clock_mono_now()))
        return -EAGAIN;
    int error = output_write(&exec->output, WAIT_MS);
    if (error == -EPIPE) /* it ended, or closed its input: it is reaped at the next look */
        close_input(exec);
    return error ? -EAGAIN : 0;
}

static void record_run(struct exec *exec, const struct gb_run *run)
{
    bool ready = lines_begin_run(&exec->lines, run, true, SEGMENT_DIGITS) == 0;
    uint64_t lost = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        size_t room = ready ? lines_room(&exec->lines, run, event) : 0;
        char *out = room ? output_room(&exec->output, room) : NULL;
        if (out)
            output_add(&exec->output, lines_put(&exec->lines, out, run, event));
        else
            lost += gb_event_is_counted(event);
    }
    if (lost)
        exec->setup->count_drop(exec->setup->collector, "no_memory", lost);
}

static void exec_record_batch(void *self, const struct gb_batch *batch)
{
    struct exec *exec = self;
    for (uint32_t i = 0; i < batch->run_count; i++)
        record_run(exec, &batch->runs[i]);
    if (output_held(&exec->output) >= WRITE_AT)
        exec_flush(exec);
}

static void exec_tick(void *self, int64_t now)
{
    look_after(self, now);
}

static bool ends_within(struct exec *exec, int milliseconds)
{
    for (int64_t until = clock_mono_now() + milliseconds * 1000000ll;;) {
        int status;
        if (outside_ended(exec->pid, &status))
            return true;
        if (clock_mono_now() >= until)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* The end of its input, then SIGTERM, then SIGKILL: for the whole group, since sh may have started others. */
static void end_program(struct exec *exec)
{
    close_input(exec);
    if (exec->pid <= 0 || ends_within(exec, END_MS))
        return;
    outside_kill(exec->pid, SIGTERM);
    if (ends_within(exec, TERM_MS))
        return;
    SAY(exec, "'%s' does not end; it is killed", exec->command);
    outside_kill(exec->pid, SIGKILL);
    ends_within(exec, KILL_MS);
}

static void exec_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    if (options[OPTION_COMMAND].text)
        reach->runs(reach->collector, options[OPTION_COMMAND].text);
}

static void exec_close(void *self)
{
    struct exec *exec = self;
    if (!exec)
        return;
    end_program(exec);
    output_close(&exec->output);
    lines_clear(&exec->lines);
    free(exec);
}

const struct gb_reporter gb_reporter_exec = {.abi = GB_REPORTER_ABI,
                                             .size = sizeof(struct gb_reporter),
                                             .name = "exec",
                                             .help = "the lines of log to the standard input of a program",
                                             .options = exec_options,
                                             .open = exec_open,
                                             .record_batch = exec_record_batch,
                                             .flush = exec_flush,
                                             .tick = exec_tick,
                                             .close = exec_close,
                                             .reach = exec_reach,
                                             .check = exec_check};
