/* SPDX-License-Identifier: MIT */
/*
 * The demo worker: a real batch job. In: directories. Out: every file below them, checksummed and compressed into a scratch
 * directory, and the totals on stdout. Several processes with several threads take files from one shared list.
 *
 * It is an ordinary program: with telemetry off it does the same and says the same.
 */
#include "examples/batch.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gb/telemetry.h>

#define MOST_PROCESSES 64
#define MOST_THREADS 256

struct job {
    unsigned processes, threads;
    size_t limit;
    bool keep, json;
    const char *scratch; /* given, or made */
    bool scratch_made;
    struct files files;
    struct shared *shared;
};

/* One thread of one process. */
struct hand {
    struct job *job;
    unsigned process, thread;
    pthread_t id;
};

static struct shared *signalled; /* for the signal handler */
static volatile sig_atomic_t signal_seen;

static void stop(int signal)
{
    signal_seen = signal;
    atomic_store(&signalled->stop, true);
}

static void *work(void *argument)
{
    struct hand *hand = argument;
    struct shared *shared = hand->job->shared;
    const struct files *files = &hand->job->files;
    struct buffers buffers = {0};
    GB_SCOPE ("batch", GB_KV("worker", hand->process), GB_KV("thread", hand->thread)) {
        while (!atomic_load(&shared->stop)) {
            size_t index = atomic_fetch_add(&shared->next, 1);
            if (index >= files->count)
                break;
            GB_GAUGE("queue_length", files->count - index - 1);
            const char *path = files->paths[index];
            int result = file_process(path, index, hand->job->scratch, &buffers, shared);
            if (result)
                fprintf(stderr, "batch_worker: %s: %s\n", path, strerrordesc_np(-result));
        }
    }
    free(buffers.in);
    free(buffers.out);
    return NULL;
}

/* A child process: its threads do the work, the first one included. */
static int run_process(struct job *job, unsigned process)
{
    struct hand hands[MOST_THREADS];
    unsigned started = 0;
    int result = 0;
    for (; started < job->threads && result == 0; started++) {
        hands[started] = (struct hand){.job = job, .process = process, .thread = started};
        result = pthread_create(&hands[started].id, NULL, work, &hands[started]);
        if (result) {
            fprintf(stderr, "batch_worker: no thread %u: %s\n", started, strerrordesc_np(result));
            break;
        }
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(hands[i].id, NULL);
    files_free(&job->files);
    return result ? 1 : 0;
}

static void progress(const struct job *job, bool last)
{
    if (!isatty(STDERR_FILENO))
        return;
    uint64_t done = atomic_load(&job->shared->files) + atomic_load(&job->shared->failed);
    fprintf(stderr, "\r%" PRIu64 " of %zu files%s", done, job->files.count, last ? "\n" : "");
    fflush(stderr);
}

/* Waits for `left` children. 0, or 1 when one of them failed. */
static int wait_for(const struct job *job, unsigned left)
{
    int result = 0;
    int watching = isatty(STDERR_FILENO) ? WNOHANG : 0; /* somebody looks at the progress */
    while (left > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, watching);
        if (pid == 0 || (pid < 0 && errno == EINTR)) {
            progress(job, false);
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
            continue;
        }
        if (pid < 0)
            return 1;
        left--;
        if (WIFSIGNALED(status))
            fprintf(stderr, "batch_worker: process %d was killed by signal %d (%s)\n", (int)pid, WTERMSIG(status),
                    sigdescr_np(WTERMSIG(status)));
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            result = 1;
    }
    progress(job, true);
    return result;
}

static int run_job(struct job *job)
{
    unsigned started = 0;
    int result = 0;
    fflush(NULL);
    for (; started < job->processes; started++) {
        pid_t pid = fork();
        if (pid == 0)
            exit(run_process(job, started));
        if (pid < 0) {
            fprintf(stderr, "batch_worker: no process %u: %s\n", started, strerror(errno));
            result = 1;
            break;
        }
    }
    return wait_for(job, started) | result;
}

static int make_scratch(struct job *job)
{
    static char made[4096];
    if (job->scratch) {
        if (mkdir(job->scratch, 0700) == 0 || errno == EEXIST)
            return 0;
    } else {
        const char *parent = getenv("TMPDIR");
        snprintf(made, sizeof made, "%s/batch_worker.XXXXXX", parent && *parent ? parent : "/tmp");
        job->scratch = made;
        job->scratch_made = true;
        if (mkdtemp(made))
            return 0;
    }
    fprintf(stderr, "batch_worker: scratch directory %s: %s\n", job->scratch, strerror(errno));
    return 1;
}

static void remove_scratch(const struct job *job)
{
    char path[4200];
    for (size_t i = 0; i < job->files.count; i++) {
        snprintf(path, sizeof path, "%s/%08zu.gz", job->scratch, i);
        unlink(path);
    }
    if (job->scratch_made)
        rmdir(job->scratch);
}

static void print_totals(const struct job *job)
{
    const struct shared *s = job->shared;
    const char *format = job->json ? "{\"files\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"bytes_in\":%" PRIu64
                                     ",\"bytes_out\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}\n"
                                   : "files=%" PRIu64 "\nfailed=%" PRIu64 "\nbytes_in=%" PRIu64 "\nbytes_out=%" PRIu64
                                     "\nchecksum=%016" PRIx64 "\n";
    printf(format, atomic_load(&s->files), atomic_load(&s->failed), atomic_load(&s->bytes_in),
           atomic_load(&s->bytes_out), atomic_load(&s->checksum));
}

/* ---- the command line ---- */

static const struct option long_options[] = {
    {"processes", required_argument, NULL, 'p'},
    {"threads", required_argument, NULL, 't'},
    {"limit", required_argument, NULL, 'n'},
    {"scratch", required_argument, NULL, 's'},
    {"keep", no_argument, NULL, 'k'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static const char help[] =
    "usage: batch_worker [OPTION]... [DIRECTORY]...\n"
    "Reads, checksums and compresses every file below the directories (default: /usr/include and /usr/share/doc).\n"
    "\n"
    "  -p, --processes N   processes, 1 to 64 (default 2)\n"
    "  -t, --threads N     threads of each, 1 to 256 (default 2)\n"
    "  -n, --limit N       at most N files, spread evenly over all that were found (default 4000; 0: all)\n"
    "  -s, --scratch DIR   where the compressed files go (default: a new directory in $TMPDIR or /tmp)\n"
    "  -k, --keep          leave them there at the end\n"
    "  -j, --json          the totals as one JSON object\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 all done, 1 a file or a process failed, 2 wrong usage, 128 + signal when interrupted.\n";

static unsigned long number(const char *option, const char *text, unsigned long least, unsigned long most)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || value < least || value > most) {
        fprintf(stderr, "batch_worker: %s: '%s' is not accepted; a number from %lu to %lu is\n", option, text, least,
                most);
        exit(2);
    }
    return value;
}

/* The index of the first directory in argv. */
static int parse(int argc, char **argv, struct job *job)
{
    for (int option; (option = getopt_long(argc, argv, "p:t:n:s:kjh", long_options, NULL)) >= 0;) {
        switch (option) {
        case 'p':
            job->processes = (unsigned)number("--processes", optarg, 1, MOST_PROCESSES);
            break;
        case 't':
            job->threads = (unsigned)number("--threads", optarg, 1, MOST_THREADS);
            break;
        case 'n':
            job->limit = number("--limit", optarg, 0, 100000000);
            break;
        case 's':
            job->scratch = optarg;
            break;
        case 'k':
            job->keep = true;
            break;
        case 'j':
            job->json = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            fputs("batch_worker: see --help\n", stderr);
            exit(2);
        }
    }
    return optind;
}

/* 0, or an exit status. */
static int find_files(struct job *job, char **directories)
{
    static char *defaults[] = {"/usr/include", "/usr/share/doc", NULL};
    GB_SCOPE_HERE("find");
    for (char **directory = *directories ? directories : defaults; *directory; directory++) {
        int result = files_find(&job->files, *directory);
        if (result) {
            fprintf(stderr, "batch_worker: %s: %s\n", *directory, strerrordesc_np(-result));
            return 2;
        }
    }
    files_choose(&job->files, job->limit);
    GB_ATTR("files", job->files.count);
    if (job->files.count == 0) {
        fputs("batch_worker: no readable file below the directories\n", stderr);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct job job = {.processes = 2, .threads = 2, .limit = 4000};
    int first = parse(argc, argv, &job);
    job.shared = mmap(NULL, sizeof *job.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (job.shared == MAP_FAILED) {
        fprintf(stderr, "batch_worker: no shared memory: %s\n", strerror(errno));
        return 1;
    }
    signalled = job.shared;
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    int status = find_files(&job, argv + first);
    if (status == 0)
        status = make_scratch(&job);
    if (status == 0) {
        status = run_job(&job);
        if (!job.keep)
            remove_scratch(&job);
        else
            fprintf(stderr, "batch_worker: the compressed files are in %s\n", job.scratch);
        print_totals(&job);
        if (atomic_load(&job.shared->failed))
            status = 1;
    }
    files_free(&job.files);
    return signal_seen ? 128 + signal_seen : status;
}
