/* SPDX-License-Identifier: MIT */
/* See outputs.h. */
#include "tests/kill/outputs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An event is named by the end of its line: segment, ring, seq. */
static void read_log(const char *path, struct outputs *out)
{
    static char *names[1 << 16];
    static char bytes[16 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, bytes, sizeof bytes - 1);
    if (fd >= 0)
        close(fd);
    bytes[length < 0 ? 0 : length] = '\0';
    for (char *line = bytes, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end || *line != '{' || end[-1] != '}') {
            out->torn++;
            if (!end)
                break;
        }
        *end = '\0';
        out->lines++;
        char *name = strstr(line, "\"segment\":\"");
        if (strstr(line, "\"state\":\"started\""))
            out->started++;
        else if (strstr(line, "\"state\":\"finished\""))
            out->finished++;
        else if (name && strstr(line, "\"seq\":") && out->events < sizeof names / sizeof *names)
            names[out->events++] = name;
    }
    qsort(names, out->events, sizeof *names, compare);
    for (unsigned i = 1; i < out->events; i++)
        out->twice += !strcmp(names[i - 1], names[i]);
}

static int64_t query(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

#define EVENTS                                                                                                         \
    "(select worker_id, ring, seq from (select thread_id, seq from timings union all select thread_id, seq from "      \
    "metrics) e join threads h on h.thread_id = e.thread_id)"

/* Removes them as well. What was in there and not yet behind head comes again, into the new file. */
static void look_aside(const char *directory, struct outputs *out)
{
    char path[400];
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *name = entry->d_name, *end = strrchr(name, '-');
        if (strncmp(name, "db.damaged", 10) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!end || (strcmp(end, "-wal") != 0 && strcmp(end, "-shm") != 0)) {
            int64_t rows = query(path, "select count(*) from " EVENTS),
                    workers = query(path, "select count(*) from ledger");
            out->rows_aside += rows > 0 ? rows : 0;
            out->workers_aside += workers > 0 ? workers : 0;
        }
    }
    rewinddir(dir);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strncmp(entry->d_name, "db.damaged", 10) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

struct outputs outputs_look(const char *directory, const char *log, const char *database)
{
    struct outputs out = {0};
    read_log(log, &out);
    out.rows = query(database, "select count(*) from " EVENTS);
    out.distinct = query(database, "select count(*) from (select distinct worker_id, ring, seq from " EVENTS ")");
    out.workers = query(database, "select count(*) from ledger");
    look_aside(directory, &out);
    return out;
}
