/* SPDX-License-Identifier: MIT */
/*
 * Opening the reporter `log`. In: its options. Out: an output that is ready, and, for a file, cursors that know all that stands in it
 * from an earlier collector. Control thread, before the reporter's own runs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/reporters/json.h"
#include "collector/reporters/log.h"
#include "collector/reporters/logfmt.h"
#include "collector/reporters/recover.h"

/* What the file that the cursors belong to got after they were stored, wherever it is now. */
static int read_behind(struct log *log, const struct place *place)
{
    struct place now;
    uint64_t lines = 0;
    int fd = log->output.fd, error = output_place(&log->output, &now);

    if (error)
        return error;
    bool current = now.device == place->device && now.inode == place->inode;
    if (!current && output_find(log->path, place, &fd)) {
        SAY(log,
            "the file that %s was before is gone from its directory, or in use: what was written to it last may come "
            "again",
            log->path);
        return 0;
    }
    if (current && now.size < place->size)
        SAY(log, "%s has become shorter than it was: %" PRIu64 " bytes, not %" PRIu64, log->path, now.size,
            place->size);
    else
        error = recover_output(fd, place->size, &log->cursors, &lines);
    if (!current)
        close(fd);
    if (lines)
        SAY(log, "%" PRIu64 " lines were written to %s before the last collector was killed", lines, log->path);
    return error;
}

/* Makes it durable: cursors of an earlier collector, what was written since, and the place from here on. */
static int open_cursors(struct log *log)
{
    struct place place;
    char *path = output_absolute(log->path); /* a relative one is another in another directory */
    int error = path ? cursor_file_open(log->setup->directory, "log", path, &log->cursor_file) : -errno;

    free(path);
    if (error) {
        SAY(log, "cannot open %s for the cursors: %s", log->setup->directory, strerror(-error));
        return error;
    }
    error = cursor_file_load(log->cursor_file, &log->cursors, &place);
    if (error == -EBADMSG)
        SAY(log, "%s/%s is broken: lines of an earlier collector may come again", log->setup->directory,
            cursor_file_name(log->cursor_file));
    else if (error && error != -ENOENT)
        SAY(log, "cannot read %s/%s: %s", log->setup->directory, cursor_file_name(log->cursor_file), strerror(-error));
    else if (!error)
        error = read_behind(log, &place);
    if (error && error != -ENOENT && error != -EBADMSG)
        return error;
    output_end_line(&log->output); /* a disk that is full now will say so again */
    error = cursor_file_take(log->cursor_file, &log->cursors);
    if (!error && log_store_cursors(log))
        SAY(log, "cannot store the cursors of %s yet: nothing is written before", log->path);
    return error;
}

int log_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct log *log = calloc(1, sizeof(*log));
    bool logfmt = setup->options[OPTION_FORMAT].number == 1, compact = setup->options[OPTION_FIELDS].number == 1;
    const char *syslog = log_syslog_socket(setup->options[OPTION_PATH].text);
    char why[256];
    int error;

    if (!log)
        return -ENOMEM;
    log->setup = setup;
    log->path = setup->options[OPTION_PATH].text;
    log->name = strcmp(log->path, "-") == 0 ? "stdout" : log->path;
    lines_init(&log->lines, logfmt ? &logfmt_format : &json_format, compact, setup->host);
    log->output.fd = -1;
    if (syslog)
        error = log_syslog_open(setup, syslog, (unsigned)setup->options[OPTION_FACILITY].number, &log->syslog);
    else if ((error = output_open(&log->output, log->path, why, sizeof(why))))
        SAY(log, "%s %s", log->name, why);
    else if (output_is_named_file(&log->output) && setup->directory)
        error = open_cursors(log);
    if (error) {
        log_free(log);
        return error;
    }
    *ret_self = log;
    return 0;
}
