/* SPDX-License-Identifier: MIT */
/*
 * See sqlite_database.h. What may be moved aside: a file whose header says that it is ours, or used to be one. Anything else at the path
 * is refused and not touched, so that a mistyped path costs nobody a file.
 */
#include "collector/reporters/sqlite_database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/reporters/sqlite_schema.h"

#define TRIES 4 /* a file that is rotated, or damaged, while we open it */
#define CHECKED_BYTES                                                                                                  \
    (64ll << 20) /* larger ones are found damaged only where they are read: a check must not delay a start */
#define HEADER_BYTES 100
#define HEADER_APPLICATION 68 /* big-endian */

enum content { CONTENT_NONE, CONTENT_OURS, CONTENT_OTHER, CONTENT_DAMAGED, CONTENT_STRANGE };

void database_init(struct database *database, const char *path, const struct gb_reporter_setup *setup)
{
    *database = (struct database){.path = path, .setup = setup, .lock = -1};
}

bool database_is_damaged(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return false;
    case SQLITE_IOERR:
        return result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_CORRUPTFS;
    default: /* also SQLITE_ERROR: somebody has changed a table */
        return true;
    }
}

int database_errno(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return -EACCES;
    default:
        return -EIO;
    }
}

const char *database_message(const struct database *database, int result)
{
    int last = sqlite3_extended_errcode(database->db);
    return last == result ? sqlite3_errmsg(database->db) : sqlite3_errstr(result);
}

void database_close(struct database *database)
{
    if (database->db)
        sqlite3_close(database->db);
    database->db = NULL;
    if (database->lock >= 0)
        close(database->lock);
    database->lock = -1;
}

/* A name that is free: PATH.damaged-TIME, and a number when that is taken. */
static int free_name(const char *path, char ret_name[PATH_MAX])
{
    struct timespec now;
    struct tm utc;
    struct stat status;
    char stamp[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    for (unsigned i = 1; i < 1000; i++) {
        int length = i == 1 ? snprintf(ret_name, PATH_MAX, "%s.damaged-%s", path, stamp)
                            : snprintf(ret_name, PATH_MAX, "%s.damaged-%s.%u", path, stamp, i);
        if (length >= PATH_MAX - 8)
            return -ENAMETOOLONG;
        if (lstat(ret_name, &status) && errno == ENOENT)
            return 0;
    }
    return -EEXIST;
}

static void rename_beside(const char *path, const char *to, const char *suffix)
{
    char from[PATH_MAX], target[PATH_MAX + 8];

    if (snprintf(from, sizeof(from), "%s%s", path, suffix) < (int)sizeof(from) &&
        snprintf(target, sizeof(target), "%s%s", to, suffix) < (int)sizeof(target))
        rename(from, target); /* often there is none */
}

int database_set_aside(struct database *database, const char *why)
{
    char name[PATH_MAX], told[256];
    int error = free_name(database->path, name);

    snprintf(told, sizeof(told), "%s", why); /* it may be SQLite's own, which goes with the connection */
    if (database->db)                        /* nothing is written into it any more, its WAL neither */
        sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (database->db)
        sqlite3_close(database->db);
    database->db = NULL;
    /* The file first: killed in between, the new one is empty, and SQLite throws the WAL of an empty one away. */
    if (!error && rename(database->path, name))
        error = -errno;
    if (!error) {
        rename_beside(database->path, name, "-wal");
        rename_beside(database->path, name, "-shm");
        database->setup->say(database->setup->collector, "%s is damaged (%s); it is now %s, and a new one is begun",
                             database->path, told, name);
    }
    database_close(database);
    return error;
}

static int refuse_open(const char *path, int error, char *why, size_t why_size)
{
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 0;

    if (error == ELOOP)
        snprintf(why, why_size, "is a symbolic link; name the file itself");
    else if (error == EISDIR)
        snprintf(why, why_size, "is a directory; a file is needed");
    else if (error == ENOENT && length > 0)
        snprintf(why, why_size, "cannot be made: there is no directory %.*s", length, path);
    else
        snprintf(why, why_size, "cannot be opened: %s", strerror(error));
    return -error;
}

/* -ESTALE: it was moved meanwhile. */
static int open_lock(struct database *database, char *why, size_t why_size)
{
    struct stat ours, named;

    database->lock = open(database->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (database->lock < 0)
        return refuse_open(database->path, errno, why, why_size);
    if (fstat(database->lock, &ours) || !S_ISREG(ours.st_mode)) {
        snprintf(why, why_size, "is no regular file");
        return -EINVAL;
    }
    if (flock(database->lock, LOCK_EX | LOCK_NB)) {
        int error = errno == EWOULDBLOCK ? EBUSY : errno;
        snprintf(why, why_size, error == EBUSY ? "is locked: another reporter writes to it" : "cannot be locked");
        return -error;
    }
    if (lstat(database->path, &named) || named.st_dev != ours.st_dev || named.st_ino != ours.st_ino)
        return -ESTALE;
    database->device = ours.st_dev;
    database->inode = ours.st_ino;
    return 0;
}

static enum content look_at(int fd, int64_t *ret_size)
{
    static const char magic[16] = "SQLite format 3";
    static const char nothing[HEADER_BYTES];
    unsigned char header[HEADER_BYTES] = {0};
    struct stat status;
    ssize_t length = pread(fd, header, sizeof(header), 0);

    *ret_size = fstat(fd, &status) ? 0 : (int64_t)status.st_size;
    if (length <= 0)
        return CONTENT_NONE;
    const unsigned char *at = header + HEADER_APPLICATION;
    uint32_t application = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    bool is_sqlite = memcmp(header, magic, sizeof(magic)) == 0, is_ours = application == SQLITE_SCHEMA_APPLICATION;
    if (is_sqlite && length == HEADER_BYTES)
        return is_ours ? CONTENT_OURS : CONTENT_OTHER;
    return is_sqlite || is_ours || memcmp(header, nothing, HEADER_BYTES) == 0 ? CONTENT_DAMAGED : CONTENT_STRANGE;
}

static int keep_complaint(void *context, int columns, char **values, char **names)
{
    char *complaint = context;
    (void)names;
    if (columns > 0 && values[0] && strcmp(values[0], "ok") != 0)
        snprintf(complaint, 128, "%s", values[0]);
    return 0;
}

/* The header says whose it is from the first write on: it is set before WAL mode keeps it out of the file. Again when there is no table yet:
 * a header that a killed collector was just writing is taken back when SQLite opens the file. */
static int configure(sqlite3 *db, bool is_new)
{
    char text[96];
    int result = SQLITE_OK;

    snprintf(text, sizeof(text), "pragma page_size = 8192; pragma application_id = %d", SQLITE_SCHEMA_APPLICATION);
    if (is_new)
        result = sqlite3_exec(db, text, NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(db,
                              "pragma journal_mode = wal;"
                              "pragma synchronous = normal;"
                              "pragma wal_autocheckpoint = 2048;"
                              "pragma journal_size_limit = 33554432;"
                              "pragma cache_size = -16384;"
                              "pragma temp_store = memory;"
                              "pragma trusted_schema = off",
                              NULL, NULL, NULL);
    return result;
}

static int open_sqlite(struct database *database, enum content content, int64_t size, char *why, size_t why_size)
{
    char name[PATH_MAX + 2], complaint[128] = "";
    sqlite3_int64 tables = 0;
    unsigned version = 0;

    snprintf(name, sizeof(name), "%s%s", database->path[0] == '/' ? "" : "./", database->path);
    int result = sqlite3_open_v2(name, &database->db,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (result == SQLITE_OK) {
        sqlite3_extended_result_codes(database->db, 1);
        sqlite3_busy_timeout(database->db, DATABASE_OPEN_MS);
        result = sqlite_query_number(database->db, "select count(*) from sqlite_schema", &tables);
    }
    if (content == CONTENT_OTHER && (tables > 0 || database_is_damaged(result))) {
        snprintf(why, why_size, "is a database of another program; it is left alone, name another file");
        return SQLITE_AUTH;
    }
    if (result == SQLITE_OK)
        result = configure(database->db, tables == 0);
    if (result == SQLITE_OK && content == CONTENT_OURS && size <= CHECKED_BYTES)
        result = sqlite3_exec(database->db, "pragma quick_check(1)", keep_complaint, complaint, NULL);
    if (result == SQLITE_OK && sqlite3_db_readonly(database->db, "main")) /* we could open it for writing */
        snprintf(complaint, sizeof(complaint), "its header says that nobody may write to it");
    if (result == SQLITE_OK && complaint[0])
        result = SQLITE_CORRUPT;
    if (result == SQLITE_OK)
        result = sqlite_schema_upgrade(database->db, sqlite_schema_steps, sqlite_schema_version, sqlite_schema_views,
                                       &version);
    if (version > sqlite_schema_version) {
        snprintf(why, why_size,
                 "has version %u of the schema, and this gb-collector knows %u; use a newer one, or another file",
                 version, sqlite_schema_version);
        return SQLITE_AUTH;
    }
    if (result != SQLITE_OK)
        snprintf(why, why_size, "%s", complaint[0] ? complaint : sqlite3_errmsg(database->db));
    else
        sqlite3_busy_timeout(database->db, DATABASE_BUSY_MS);
    return result;
}

/* -ESTALE: once more. */
static int open_once(struct database *database, char *why, size_t why_size)
{
    char reason[256] = "its header is broken";
    int64_t size;
    int error = open_lock(database, why, why_size);

    if (error)
        return error;
    enum content content = look_at(database->lock, &size);
    if (content == CONTENT_STRANGE) {
        snprintf(why, why_size, "is no database; it is left alone, name another file");
        return -EINVAL;
    }
    int result =
        content == CONTENT_DAMAGED ? SQLITE_CORRUPT : open_sqlite(database, content, size, reason, sizeof(reason));
    if (result == SQLITE_OK)
        return 0;
    if (result != SQLITE_AUTH && database_is_damaged(result) && content != CONTENT_NONE) {
        error = database_set_aside(database, reason);
        snprintf(why, why_size, "is damaged (%s), and cannot be moved aside: %s", reason, strerror(-error));
        return error ? error : -ESTALE;
    }
    snprintf(why, why_size, result == SQLITE_AUTH ? "%s" : "cannot be opened: %s", reason);
    return result == SQLITE_AUTH ? -EINVAL : database_errno(result);
}

int database_open(struct database *database, char *ret_why, size_t why_size)
{
    int error = -ESTALE;

    for (int i = 0; i < TRIES && error == -ESTALE; i++) {
        snprintf(ret_why, why_size, "is moved faster than it can be opened");
        error = open_once(database, ret_why, why_size);
        if (error)
            database_close(database);
    }
    return error;
}

int database_complete(struct database *database)
{
    return sqlite3_wal_checkpoint_v2(database->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

bool database_has_moved(const struct database *database, bool *ret_removed)
{
    struct stat named, ours;

    *ret_removed = fstat(database->lock, &ours) == 0 && ours.st_nlink == 0;
    if (lstat(database->path, &named))
        return errno == ENOENT || errno == ENOTDIR;
    return named.st_dev != database->device || named.st_ino != database->inode;
}
