/* SPDX-License-Identifier: MIT */
/*
 * See snapshot.h. A recording is never trusted: attach.h checks and maps it, freeze.h copies it, and what a copy says is
 * checked again when it is attached.
 */
#include "collector/cli/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/freeze.h"
#include "collector/liveness.h"
#include "collector/reporters/summary_format.h"

#define NAMED_MAX 20u

/* Of the recordings that are not wanted: for a message. */
struct others {
    uint32_t pid[NAMED_MAX];
    unsigned count, segments;
};

static bool is_wanted(struct snapshot_wish *wish, uint32_t pid)
{
    bool wanted = wish->pids == 0;
    for (unsigned i = 0; i < wish->pids; i++)
        if (wish->pid[i] == pid)
            wanted = wish->met[i] = true;
    return wanted;
}

static void say_about(const struct directory *directory, const char *file, const char *what)
{
    fputs("gb snapshot: ", stderr);
    format_fit(stderr, directory->path, format_columns(directory->path), false);
    fprintf(stderr, "/%s: %s\n", file, what);
}

static enum gbw_how how_of(const struct segment *recording, bool *ret_dead)
{
    const char *how = "";
    *ret_dead = liveness_probe(recording, &how) == LIVENESS_DEAD;
    return !*ret_dead                 ? GBW_STILL_RUNS
           : strcmp(how, "exit") == 0 ? GBW_EXIT
           : strcmp(how, "exec") == 0 ? GBW_EXEC
                                      : GBW_VANISHED;
}

static int keep(struct snapshot_recordings *recordings, const struct segment *recording, bool dead)
{
    size_t bytes = (recordings->count + 1) * sizeof(*recordings->list);
    struct snapshot_recording *list = realloc(recordings->list, bytes);
    char *file = strdup(recording->file);
    if (list != NULL)
        recordings->list = list;
    if (list == NULL || file == NULL) {
        free(file);
        return -ENOMEM;
    }
    list[recordings->count++] = (struct snapshot_recording){
        .file = file, .dev = recording->dev, .ino = recording->ino, .pid = recording->pid, .dead = dead};
    return 0;
}

static bool freeze_one(const struct directory *from, struct segment *recording, int to_fd,
                       struct snapshot_recordings *recordings)
{
    bool dead;
    enum gbw_how how = how_of(recording, &dead); /* before its last words are read: dead is dead */
    int error = freeze_recording(recording, how, to_fd);
    if (error == 0)
        error = keep(recordings, recording, dead);
    if (error < 0)
        say_about(from, recording->file,
                  error == -EIO      ? "it was cut short, and is left out"
                  : error == -ENOSPC ? "cannot copy it: no space left in /dev/shm"
                                     : strerror(-error));
    return error == 0;
}

static bool visit(const struct directory *from, const char *file, struct snapshot_wish *wish, int to_fd,
                  struct snapshot_recordings *recordings, struct others *others)
{
    struct attach_result result = {0};
    struct segment *recording = NULL;
    int error = segment_attach(from->fd, file, from->owner, &result, &recording);
    if (error == -ENOENT || result.refusal == ATTACH_GONE)
        return true;
    if (error < 0) {
        say_about(from, file, result.why[0] != '\0' ? result.why : strerror(-error));
        return false;
    }
    bool good = true;
    if (is_wanted(wish, recording->pid)) {
        recordings->wanted++;
        good = freeze_one(from, recording, to_fd, recordings);
    } else {
        if (others->count < NAMED_MAX)
            others->pid[others->count] = recording->pid;
        others->count++;
    }
    segment_detach(recording);
    return good;
}

static void say_missing(const struct directory *from, uint32_t pid, const struct others *others)
{
    fprintf(stderr, "gb snapshot: no recording of pid %u in %s; there are", pid, from->path);
    for (unsigned i = 0; i < others->count && i < NAMED_MAX; i++)
        fprintf(stderr, "%s %u", i > 0 ? "," : "", others->pid[i]);
    fputs(others->count == 0 ? " no others\n" : others->count > NAMED_MAX ? ", ...\n" : "\n", stderr);
}

static void say_none(const struct directory *from, const struct others *others)
{
    fprintf(stderr,
            "gb snapshot: no recordings in %s: no worker has run there as a flight\n"
            "recorder, which takes GEMINI_BATCH_TELEMETRY_OVERFLOW=overwrite in its environment\n",
            from->path);
    if (others->segments > 0)
        fprintf(stderr, "(%u segment%s of other workers there; a gb-collector takes these)\n", others->segments,
                others->segments == 1 ? "" : "s");
}

static int is_file(const struct dirent *entry)
{
    return segment_is_name(entry->d_name, GBW_RECORDING_SUFFIX) || segment_is_name(entry->d_name, GBW_SEGMENT_SUFFIX);
}

bool snapshot_freeze(const struct directory *from, struct snapshot_wish *wish, int to_fd,
                     struct snapshot_recordings *ret_recordings)
{
    struct dirent **entries = NULL;
    struct others others = {.count = 0};
    int count = scandirat(from->fd, ".", &entries, is_file, alphasort);
    if (count < 0) {
        fprintf(stderr, "gb snapshot: cannot read %s: %s\n", from->path, strerror(errno));
        return false;
    }
    bool good = true;
    for (int i = 0; i < count; i++) {
        if (segment_is_name(entries[i]->d_name, GBW_SEGMENT_SUFFIX))
            others.segments++;
        else
            good = visit(from, entries[i]->d_name, wish, to_fd, ret_recordings, &others) && good;
        free(entries[i]);
    }
    free(entries);
    if (good && wish->pids == 0 && ret_recordings->wanted == 0) {
        say_none(from, &others);
        return false;
    }
    for (unsigned i = 0; i < wish->pids; i++)
        if (!wish->met[i]) {
            say_missing(from, wish->pid[i], &others);
            good = false;
        }
    return good;
}

/* Byte 1 of the lock file is held by whoever removes (PROTOCOL section 8). */
static int removal_lock(const struct directory *from)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    int fd = openat(from->fd, GBW_LOCK_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fcntl(fd, F_SETLKW, &lock) == 0)
        return fd;
    fprintf(stderr, "gb snapshot: nothing is removed: cannot lock %s/" GBW_LOCK_NAME ": %s\n", from->path,
            strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool remove_file(const struct directory *from, const struct snapshot_recording *recording)
{
    struct stat status;
    if (fstatat(from->fd, recording->file, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_dev != recording->dev ||
        status.st_ino != recording->ino)
        return true; /* a janitor was here before */
    if (unlinkat(from->fd, recording->file, 0) == 0 || errno == ENOENT)
        return true;
    say_about(from, recording->file, strerror(errno));
    return false;
}

bool snapshot_remove(const struct directory *from, const struct snapshot_recordings *recordings)
{
    unsigned dead = 0;
    bool good = true;
    for (unsigned i = 0; i < recordings->count; i++) {
        dead += recordings->list[i].dead;
        if (!recordings->list[i].dead)
            fprintf(stderr, "gb snapshot: pid %u runs, or may: its recording stays\n", recordings->list[i].pid);
    }
    int lock_fd = dead > 0 ? removal_lock(from) : -1;
    if (dead > 0 && lock_fd < 0)
        return false;
    for (unsigned i = 0; i < recordings->count; i++)
        if (recordings->list[i].dead)
            good = remove_file(from, &recordings->list[i]) && good;
    if (lock_fd >= 0)
        close(lock_fd);
    return good;
}

void snapshot_free(struct snapshot_recordings *recordings)
{
    for (unsigned i = 0; i < recordings->count; i++)
        free(recordings->list[i].file);
    free(recordings->list);
    *recordings = (struct snapshot_recordings){0};
}
