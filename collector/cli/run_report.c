/* SPDX-License-Identifier: MIT */
/* What `gb run` says besides the report: see run_report.h. */
#include "collector/cli/run_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/cli/args.h"
#include "collector/memory_stream.h"
#include "collector/cli/run_directory.h"
#include "collector/reporters/summary_format.h"

#define NAMED_MAX 10u

struct rest {
    unsigned workers;
};

static void name_worker(void *context, const struct gb_worker *worker, uint64_t backlog)
{
    struct rest *rest = context;
    char number[FORMAT_MAX];
    if (rest->workers++ == 0)
        fputs("\ngb run: these workers outlive the command:\n", stderr);
    if (rest->workers > NAMED_MAX)
        return;
    fprintf(stderr, "  pid %u (", worker->pid);
    format_fit(stderr, worker->program, format_columns(worker->program), false);
    fprintf(stderr, "): %s events were not taken yet\n", format_whole(number, (__int128)backlog));
}

static void say_kept(unsigned workers, const char *directory, bool private_directory)
{
    if (workers > NAMED_MAX)
        fprintf(stderr, "  and %u more\n", workers - NAMED_MAX);
    fprintf(stderr,
            "What they emit from now on stays in %s\nuntil somebody takes it. When they have ended:\n"
            "  gb-collector --once --dir %s",
            directory, directory);
    fprintf(stderr, private_directory ? " && rm -r %s\n" : "\n", directory);
}

static void say_none(const char *word)
{
    fputs("\ngb run: no worker was attached. ", stderr);
    format_fit(stderr, word, format_columns(word), false);
    fputs(" emitted nothing, because\n", stderr);
    fputs("  - it does not link the library (pkg-config --libs gb-telemetry), or reached\n"
          "    no scope or metric; or\n"
          "  - its environment was cleared on the way, as sudo, docker and ssh do: pass on\n"
          "    GEMINI_BATCH_TELEMETRY and GEMINI_BATCH_TELEMETRY_DIR, or put gb run inside.\n",
          stderr);
}

/* What the reporters were given and lost is in no worker's account, so the report has said nothing of it. */
static void say_losses(struct collector *collector)
{
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    if (out == NULL)
        return;
    bool lost = collector_print_losses(collector, out);
    char *table = memory_stream_close(&stream, out);
    if (table != NULL && lost)
        fprintf(stderr, "\ngb run: reporters lost events:\n%s", table);
    if (lost && table != NULL && strstr(table, " queue_full ") != NULL)
        fputs("queue_full: it was slower than the workers. The option queue=N (batches of up to 1,024\n"
              "events) lets it fall further behind; with when_behind=hold the workers drop instead.\n",
              stderr);
    free(table);
}

bool run_report_rest(struct collector *collector, const char *directory, bool private_directory, const char *word)
{
    struct rest rest = {0};
    say_losses(collector);
    unsigned seen = collector_workers(collector, name_worker, &rest);
    if (rest.workers > 0)
        say_kept(rest.workers, directory, private_directory);
    else if (seen == 0 && run_directory_recordings(directory) == 0)
        say_none(word);
    return rest.workers > 0;
}

void run_report_left(const char *directory, unsigned segments)
{
    fprintf(stderr,
            "\ngb run: %u segment%s left: a reporter did not take all in time, or a worker began\n"
            "when the command was ending. To take the rest, with the same --reporter options:\n"
            "  gb-collector --once --dir %s --reporter ... && rm -r %s\n",
            segments, segments == 1 ? " is" : "s are", directory, directory);
}

void run_report_recordings(const char *directory, unsigned recordings, bool private_directory)
{
    fprintf(stderr,
            "\ngb run: %u flight recorder%s (GEMINI_BATCH_TELEMETRY_OVERFLOW=overwrite) left\n"
            "what %s last; no collector takes it. To see it:\n  gb snapshot --dir %s",
            recordings, recordings == 1 ? "" : "s", recordings == 1 ? "it saw" : "they saw", directory);
    fprintf(stderr, private_directory ? " && rm -r %s\n" : "\n", directory);
}
