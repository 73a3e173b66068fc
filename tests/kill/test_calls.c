/* SPDX-License-Identifier: MIT */
/*
 * The collector is harmed at each of its system calls: while it attaches, drains, writes `log` and `sqlite`, stores its cursors and
 * unlinks. Then it is harmed again while it recovers, then it runs in peace. In the end each event of five dead workers (one left by
 * exit, four were killed in a scope) is in the log once and in the database once, each worker was told of once, and no segment is left.
 *
 * A database that cannot be read for an error is moved aside, whole, and a new one begun: then the two together hold all.
 *
 * usage: test_calls COLLECTOR WORKER [--all | --every N]
 * By default each call is harmed in one of the ways, by turns, and where that does nothing it is a kill; --all: in each of the ways;
 * --every N: one call in N.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"
#include "tests/endtoend/tally.h"
#include "tests/kill/instrumented.h"
#include "tests/kill/outputs.h"
#include "tests/kill/trace.h"

#define PATIENCE_S 60
#define RUNS_MAX 20 /* until one says that all is well */

static char base[64], templates[80], segments[80], log_path[96], database[96], log_spec[128], sqlite_spec[128];
static const char *collector, *worker;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- five dead workers ---- */

static pid_t start_worker(const char *tally, const char *events, const char *pause, const char *mode)
{
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
        setenv("GEMINI_BATCH_TELEMETRY_DIR", templates, 1);
        setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "65536", 1);
        setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "drop", 1);
        execl(worker, worker, tally, "2", events, "20", pause, mode, (char *)NULL);
        _exit(127);
    }
    setpgid(pid, pid);
    return pid;
}

static uint64_t returned_by(const char *path)
{
    struct tally tally;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t sum = 0;
    if (fd >= 0 && pread(fd, &tally, sizeof tally, 0) == sizeof tally && tally.processes == 4)
        for (unsigned i = 0; i < TALLY_THREADS; i++)
            sum += tally.thread[i].returned;
    if (fd >= 0)
        close(fd);
    return sum;
}

static void make_templates(void)
{
    char tally[96];
    int status;
    mkdir(templates, 0700);
    snprintf(tally, sizeof tally, "%s/tally", base);
    pid_t pid = start_worker(tally, "100", "0", "");
    if (waitpid(pid, &status, 0) != pid || status)
        fail(worker);
    unlink(tally);
    pid = start_worker(tally, "0", "20000", "fork");
    for (int i = 0; returned_by(tally) < 400; i++) {
        if (i > PATIENCE_S * 1000)
            fail("the worker");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(-pid, SIGKILL);
    waitpid(pid, &status, 0);
    unlink(tally);
}

static bool is_segment(const char *name)
{
    return strncmp(name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) == 0;
}

static void copy(int from_directory, int to_directory, const char *name)
{
    static char bytes[1 << 16];
    struct stat status;
    int from = openat(from_directory, name, O_RDONLY | O_CLOEXEC);
    int to = openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0 || fstat(from, &status) || ftruncate(to, status.st_size))
        fail(name);
    for (off_t at = 0; (at = lseek(from, at, SEEK_DATA)) >= 0;) {
        off_t end = lseek(from, at, SEEK_HOLE);
        for (ssize_t got; at < end; at += got) {
            got = pread(from, bytes, end - at < (off_t)sizeof bytes ? (size_t)(end - at) : sizeof bytes, at);
            if (got <= 0 || pwrite(to, bytes, (size_t)got, at) != got)
                fail(name);
        }
    }
    close(from);
    close(to);
}

/* Removes all files; returns how many of them were segments. */
static unsigned empty(const char *path)
{
    unsigned left = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        left += is_segment(entry->d_name);
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    return left;
}

static void lay_out(void)
{
    char path[112];
    DIR *dir = opendir(templates);
    mkdir(segments, 0700);
    empty(segments);
    unlink(log_path);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", database, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
        unlink(path);
    }
    int to = open(segments, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (is_segment(entry->d_name))
            copy(dirfd(dir), to, entry->d_name);
    close(to);
    closedir(dir);
}

/* ---- the cases ---- */

static struct outputs look(void)
{
    struct outputs out = outputs_look(base, log_path, database);
    out.segments = empty(segments);
    return out;
}

static const char *arguments[] = {NULL,         "--no-sandbox", "--quiet",    "--once",    "--dir", segments,
                                  "--reporter", log_spec,       "--reporter", sqlite_spec, NULL};

static unsigned cases, harmed, pairs, violations;
static uint64_t seed = 88172645463325252ull;

static unsigned below(unsigned bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % bound);
}

static void run_to_the_end(void)
{
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        struct traced traced = trace_run(arguments, 0, HARM_KILL);
        if (WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0)
            return;
    }
}

static void judge(const struct outputs *is, const struct outputs *must, unsigned at, enum harm harm, long call,
                  unsigned again, enum harm harm_again)
{
    const char *wrong = NULL;
    if (is->torn)
        wrong = "a line is torn";
    else if (is->twice || is->rows != is->distinct)
        wrong = "an event is there twice";
    else if (is->events != must->events || is->rows + is->rows_aside < must->rows || is->rows > must->rows)
        wrong = "not all events are there";
    else if (is->started != must->started || is->finished != must->finished ||
             is->workers + is->workers_aside < must->workers || is->workers > must->workers)
        wrong = "a worker was not told of once";
    else if (is->segments)
        wrong = "a segment is left";
    if (!wrong)
        return;
    violations++;
    fprintf(
        stderr,
        "%s at call %u (number %ld), then %s at %u: %s (log: %u events, %u twice, %u started, %u finished, %u torn; "
        "database: %lld rows, %lld distinct, %lld workers; %u segments left; must be %u events)\n",
        harm_names[harm], at, call, harm_names[harm_again], again, wrong, is->events, is->twice, is->started,
        is->finished, is->torn, (long long)is->rows, (long long)is->distinct, (long long)is->workers, is->segments,
        must->events);
}

/* false: there were fewer calls than that. */
static bool one_case(const struct outputs *must, unsigned at, enum harm harm)
{
    lay_out();
    struct traced first = trace_run(arguments, at, harm), second = {.call = -1};
    if (first.calls < at)
        return false;
    enum harm harm_again = (enum harm)below(HARMS);
    unsigned again = 0;
    if (first.call < 0)
        return true; /* that harm does nothing to that call */
    if (first.killed || first.status) {
        again = 1 + below(first.calls < 100 ? 100 : first.calls);
        second = trace_run(arguments, again, harm_again);
    }
    run_to_the_end();
    struct outputs is = look();
    judge(&is, must, at, harm, first.call, second.call < 0 ? 0 : again, harm_again);
    cases++;
    harmed += second.call >= 0 ? 2 : 1;
    pairs += second.call >= 0;
    return true;
}

static void prepare(void)
{
    strcpy(base, "/dev/shm/gb-test-XXXXXX");
    if (!mkdtemp(base))
        fail(base);
    snprintf(templates, sizeof templates, "%s/templates", base);
    snprintf(segments, sizeof segments, "%s/segments", base);
    snprintf(log_path, sizeof log_path, "%s/log", base);
    snprintf(database, sizeof database, "%s/db", base);
    snprintf(log_spec, sizeof log_spec, "log:path=%s", log_path);
    snprintf(sqlite_spec, sizeof sqlite_spec, "sqlite:path=%s", database);
    make_templates();
}

static void clean_up(void)
{
    empty(templates);
    empty(segments);
    rmdir(templates);
    rmdir(segments);
    empty(base);
    if (rmdir(base))
        perror(base);
}

/* Returns the distance between the calls to be harmed; 0: in all ways. */
static unsigned read_arguments(int argc, char **argv)
{
    char *end = NULL;
    if (argc == 3)
        return 1;
    if (argc == 4 && !strcmp(argv[3], "--all"))
        return 0;
    unsigned long every = argc == 5 && !strcmp(argv[3], "--every") ? strtoul(argv[4], &end, 10) : 0;
    if (!every || every > 1000 || *end) {
        fprintf(stderr, "usage: test_calls COLLECTOR WORKER [--all | --every N]     (N: 1 to 1000)\n");
        exit(2);
    }
    return (unsigned)every;
}

int main(int argc, char **argv)
{
    unsigned every = read_arguments(argc, argv);
    bool all = !every;
    if (INSTRUMENTED) {
        printf("SKIP: under a sanitizer\n");
        return 77;
    }
    arguments[0] = collector = argv[1];
    worker = argv[2];
    prepare();
    lay_out();
    struct traced peace = trace_run(arguments, 0, HARM_KILL);
    struct outputs must = look();
    printf(
        "in peace: %u calls; %u events, %u started, %u finished in the log; %lld rows, %lld workers in the database\n",
        peace.calls, must.events, must.started, must.finished, (long long)must.rows, (long long)must.workers);
    fflush(stdout);
    if (must.events < 600 || must.rows != must.events || must.finished != 5 || must.workers != 5)
        violations++;
    bool more = violations == 0;
    for (unsigned at = 1; more; at += all ? 1 : every) {
        for (unsigned harm = all ? 0 : at / every % HARMS; more && harm < HARMS; harm++) {
            unsigned before = cases;
            more = one_case(&must, at, (enum harm)harm);
            if (!all && cases == before && more) /* a harm that does nothing here: a kill does always */
                more = one_case(&must, at, HARM_KILL);
            if (!all)
                break;
        }
    }
    printf("%u cases, %u faults at system calls of the collector, %u pairs: %u violations\n", cases, harmed, pairs,
           violations);
    clean_up();
    return violations ? 1 : 0;
}
