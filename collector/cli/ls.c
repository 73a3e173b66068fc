/* SPDX-License-Identifier: MIT */
/*
 * `gb ls`: what stands in a segments' directory. In: its files, which are never trusted: attach.h checks and maps them, and
 * each number is read once. Out: a table, or one JSON object a line. Nothing is written to a segment, and nothing is locked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/cli/args.h"
#include "collector/cli/commands.h"
#include "collector/cli/ls_write.h"
#include "collector/directory.h"
#include "collector/inside.h"
#include "collector/liveness.h"
#include "collector/sigbus.h"

enum { OPTION_DIR, OPTION_JSON };
static const struct args_option ls_options[] = {
    {"dir", 0, "DIR", "the directory (default: GEMINI_BATCH_TELEMETRY_DIR, then /dev/shm/gb-<uid>)"},
    {"json", 0, NULL, "one JSON object a line"},
    {NULL, 0, NULL, NULL}};
static const struct args_command ls_command = {
    .program = "gb ls",
    .synopsis = "[--dir DIR] [--json]",
    .about =
        "Lists the segments of a directory: one for each worker that is alive, or that has ended and was not yet "
        "taken in whole by a collector. Backlog is what stands in its rings and was not taken yet; folded, what found "
        "them full and is in totals alone; dropped, what its worker could not put anywhere. A running collector is "
        "asked for its reporters: what each delivered, lost "
        "and has not sent yet, in events; and for the segments that it has quarantined, since they were truncated or "
        "are broken: they are read no more. A flight recorder (GEMINI_BATCH_TELEMETRY_OVERFLOW=overwrite) has no "
        "backlog: gb snapshot writes out what it holds.\n\nExit status: 0, also when there is none; 1 when the "
        "directory "
        "cannot be "
        "read; 2 for wrong usage.",
    .options = ls_options};

static void read_ring(const struct ring *ring, struct ls_ring *to)
{
    const struct gbw_producer *producer = ring->producer;
    uint64_t head = __atomic_load_n(&ring->consumer->head, __ATOMIC_ACQUIRE);
    uint64_t tail = __atomic_load_n(&producer->tail, __ATOMIC_ACQUIRE);
    to->index = ring->index;
    to->slots = ring->slots;
    bool recording = ring->segment->recording; /* nobody takes anything out of it */
    to->backlog = !recording && tail - head <= ring->slots ? tail - head : 0;
    to->broken = !recording && tail - head > ring->slots;
    for (unsigned i = 0; i < GBW_RING_CAUSES; i++)
        to->dropped[i] = __atomic_load_n(&producer->dropped[i], __ATOMIC_ACQUIRE);
    to->folded = __atomic_load_n(&producer->folded, __ATOMIC_ACQUIRE);
    to->attempted = __atomic_load_n(&producer->attempted, __ATOMIC_RELAXED);
    to->leased = __atomic_load_n(&producer->leased, __ATOMIC_RELAXED) == 1;
    to->depth = __atomic_load_n(&producer->depth, __ATOMIC_RELAXED);
    to->tid = __atomic_load_n(&producer->tid, __ATOMIC_RELAXED);
    memcpy(to->thread, producer->thread, sizeof(to->thread) - 1);
    to->thread[sizeof(to->thread) - 1] = '\0';
}

/* The rings, and what was refused outside of them. */
static int read_segment(struct segment *segment, struct ls_segment *to)
{
    uint32_t count = __atomic_load_n(&segment->header->ring_count, __ATOMIC_ACQUIRE);
    count = count < segment->rings_capacity ? count : segment->rings_capacity;
    to->rings = calloc(count > 0 ? count : 1, sizeof(*to->rings));
    if (to->rings == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        if (ring_attach(segment, i) < 0) {
            to->broken_rings++;
            if (segment->ring_count <= i)
                break;
            continue;
        }
        struct ls_ring *ring = &to->rings[to->ring_count++];
        read_ring(segment->rings[i], ring);
        to->backlog += ring->backlog;
        to->attempted += ring->attempted;
        to->folded += ring->folded;
        for (unsigned cause = 0; cause < GBW_RING_CAUSES; cause++)
            to->dropped[cause] += ring->dropped[cause];
    }
    for (unsigned cause = 0; cause < GBW_CAUSES; cause++) {
        uint64_t refused = __atomic_load_n(&segment->header->refused[cause], __ATOMIC_RELAXED);
        to->dropped[cause] += refused;
        to->attempted += refused;
    }
    enum liveness life = liveness_probe(segment, NULL);
    to->state = life == LIVENESS_ALIVE ? "alive" : life == LIVENESS_DEAD ? "dead" : "unknown";
    to->recording = segment->recording;
    to->worker = segment->worker;
    to->bytes = segment->size;
    return 0;
}

/* Of what the collector has said. */
static bool is_quarantined(const struct status *status, const char *file)
{
    for (unsigned i = 0; i < status->quarantined; i++)
        if (strcmp(status->quarantined_file[i], file) == 0)
            return true;
    return false;
}

static int show_file(const struct directory *directory, const char *file, const struct ls_writer *writer)
{
    struct attach_result result = {0};
    struct segment *segment = NULL;
    struct ls_segment shown = {.file = file};
    int error = segment_attach(directory->fd, file, directory->owner, &result, &segment);
    if (error == -ENOENT || result.refusal == ATTACH_GONE)
        return 0;
    if (error < 0) {
        writer->refused(file, result.why[0] != '\0' ? result.why : strerror(-error));
        return 0;
    }
    error = read_segment(segment, &shown);
    if (error == 0)
        writer->segment(&shown);
    free(shown.rings);
    segment_detach(segment);
    return error;
}

static int is_segment(const struct dirent *entry)
{
    return segment_is_name(entry->d_name, GBW_SEGMENT_SUFFIX) || segment_is_name(entry->d_name, GBW_RECORDING_SUFFIX);
}

/* Who holds byte 0 of the lock file; 0: nobody. */
static pid_t collector_pid(const struct directory *directory)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = inside_open(directory->fd, GBW_LOCK_NAME, O_RDONLY, 0);
    if (fd < 0)
        return 0;
    bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return held ? lock.l_pid : 0;
}

static int show_directory(const struct directory *directory, bool json)
{
    struct dirent **entries = NULL;
    int count = scandirat(directory->fd, ".", &entries, is_segment, alphasort);
    if (count < 0) {
        fprintf(stderr, "gb ls: cannot read %s: %s\n", directory->path, strerror(errno));
        return 1;
    }
    const struct ls_writer *writer = json ? &ls_json : &ls_text;
    pid_t collector = collector_pid(directory);
    writer->begin(directory->path, (unsigned)count, collector);
    static struct status status;
    if (collector > 0) {
        int silent = status_ask(directory->fd, &status);
        writer->reporters(&status, silent);
    }
    if (count > 0)
        writer->segments();
    int error = 0;
    for (int i = 0; i < count; i++) {
        if (is_quarantined(&status, entries[i]->d_name))
            writer->quarantined(entries[i]->d_name);
        else if (error == 0)
            error = show_file(directory, entries[i]->d_name, writer);
        free(entries[i]);
    }
    free(entries);
    if (error < 0)
        fprintf(stderr, "gb ls: %s\n", strerror(-error));
    return error < 0;
}

int command_ls(int argc, char **argv)
{
    struct args args;
    const char *value, *path = getenv("GEMINI_BATCH_TELEMETRY_DIR");
    bool json = false;
    int found;
    args_begin(&args, &ls_command, argc, argv);
    while ((found = args_next(&args, &value)) >= 0) {
        if (found == OPTION_DIR)
            path = value;
        else
            json = true;
    }
    if (found != ARGS_END)
        return found == ARGS_HELPED ? 0 : 2;
    if (!args_nothing_left(&args))
        return 2;

    struct directory directory;
    char why[640], standard[64];
    if (path == NULL || *path == '\0') {
        snprintf(standard, sizeof(standard), "/dev/shm/gb-%u", (unsigned)geteuid());
        path = standard;
        if (access(path, F_OK) != 0 && errno == ENOENT) {
            if (!json)
                printf("%s: no workers (the directory was not made yet)\n", path);
            return 0;
        }
    }
    int error = directory_open(path, false, &directory, why, sizeof(why));
    if (error < 0) {
        fprintf(stderr, "gb ls: %s\n", why);
        return 1;
    }
    sigbus_install();
    int status = show_directory(&directory, json);
    directory_close(&directory);
    return status;
}
