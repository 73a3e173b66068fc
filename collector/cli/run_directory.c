/* SPDX-License-Identifier: MIT */
/* The private directory of `gb run`: see run_directory.h. */
#include "collector/cli/run_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"

#define STEP_MS 2u

int run_directory_make(char ret_path[RUN_DIRECTORY_MAX])
{
    strcpy(ret_path, "/dev/shm/gb-run-XXXXXX");
    return mkdtemp(ret_path) == NULL ? -errno : 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static unsigned count_files(const char *path, const char *end)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += ends_with(entry->d_name, end);
    closedir(directory);
    return count;
}

unsigned run_directory_segments(const char *path)
{
    return count_files(path, GBW_SEGMENT_SUFFIX);
}

unsigned run_directory_recordings(const char *path)
{
    return count_files(path, GBW_RECORDING_SUFFIX);
}

void run_directory_settle(const char *path, unsigned milliseconds)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
    for (unsigned i = 0; i < milliseconds / STEP_MS && run_directory_segments(path) > 0; i++)
        nanosleep(&step, NULL);
}

int run_directory_remove(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        int error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(fd, entry->d_name, 0);
    closedir(directory);
    return rmdir(path) < 0 ? -errno : 0;
}
