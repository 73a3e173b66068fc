/* SPDX-License-Identifier: MIT */
/* The list of files that the demo works on. In: directories. Out: sorted paths. The parent alone runs this. */
#include "examples/batch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* nftw hands nothing through to its callback */
static struct files *finding;

static int add(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)where;
    if (type == FTW_DNR)
        fprintf(stderr, "batch_worker: %s: directory not readable, left out\n", path);
    if (type != FTW_F || !S_ISREG(status->st_mode) || access(path, R_OK) != 0)
        return 0;
    if (finding->count == finding->capacity) {
        size_t capacity = finding->capacity ? finding->capacity * 2 : 1024;
        char **grown = realloc(finding->paths, capacity * sizeof *grown);
        if (!grown)
            return ENOMEM;
        finding->paths = grown;
        finding->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    finding->paths[finding->count++] = copy;
    return 0;
}

int files_find(struct files *files, const char *directory)
{
    struct stat status;
    if (stat(directory, &status) != 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    if (access(directory, R_OK | X_OK) != 0)
        return -errno;
    finding = files;
    int result = nftw(directory, add, 32, FTW_PHYS);
    return result < 0 ? -errno : -result;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void files_choose(struct files *files, size_t limit)
{
    if (files->count == 0)
        return;
    qsort(files->paths, files->count, sizeof *files->paths, by_name);
    if (limit == 0 || limit >= files->count)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        if (kept < limit && i == kept * files->count / limit)
            files->paths[kept++] = files->paths[i];
        else
            free(files->paths[i]);
    }
    files->count = kept;
}

void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct files){0};
}
