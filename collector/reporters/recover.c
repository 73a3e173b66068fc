/* SPDX-License-Identifier: MIT */
/*
 * See recover.h. Only the end of a line is looked at (segment, ring, seq), which no text of a user can imitate: in JSON its quotes
 * are escaped, in logfmt it stands in quotes before.
 */
#include "collector/reporters/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1u << 20) /* many times what our longest line takes */

/* How a line tells who it is about. */
struct syntax {
    const char *begin, *begin_compact;
    const char *segment, *ring, *seq, *end;
    const char *worker_end, *started, *finished;
};

static const struct syntax json = {
    .begin = "{\"schema\":1,\"event\":\"telemetry.",
    .begin_compact = "{\"event\":\"telemetry.",
    .segment = "\"segment\":\"",
    .ring = "\",\"ring\":",
    .seq = ",\"seq\":",
    .end = "}",
    .worker_end = "\"}",
    .started = "\"state\":\"started\"",
    .finished = "\"state\":\"finished\"",
};

static const struct syntax logfmt = {
    .begin = "schema=1 event=telemetry.",
    .begin_compact = "event=telemetry.",
    .segment = " segment=",
    .ring = " ring=",
    .seq = " seq=",
    .end = "",
    .worker_end = "",
    .started = " state=started ",
    .finished = " state=finished ",
};

/* What is left of a line while it is read from the front. */
struct rest {
    const char *at, *end;
};

static bool skip(struct rest *rest, const char *what)
{
    size_t length = strlen(what);

    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, what, length) != 0)
        return false;
    rest->at += length;
    return true;
}

static bool read_number(struct rest *rest, uint64_t *ret_number)
{
    const char *first = rest->at;
    uint64_t number = 0;

    while (rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9')
        number = number * 10 + (uint64_t)(*rest->at++ - '0');
    *ret_number = number;
    return rest->at > first && rest->at - first <= 20;
}

static size_t hex_digits(const struct rest *rest)
{
    size_t count = 0;

    while (rest->at + count < rest->end && strchr("0123456789abcdef", rest->at[count]) && rest->at[count])
        count++;
    return count;
}

static const char *find_last(struct rest rest, const char *what)
{
    size_t length = strlen(what);

    for (const char *at = rest.end - length; at >= rest.at; at--)
        if (memcmp(at, what, length) == 0)
            return at;
    return NULL;
}

/* A torn line may end anywhere, also within its beginning. */
static bool is_begin(const char *line, size_t length, const char *begin)
{
    size_t compared = strlen(begin) < length ? strlen(begin) : length;
    return compared > 0 && memcmp(line, begin, compared) == 0;
}

static bool is_ours(const char *line, size_t length)
{
    return is_begin(line, length, json.begin) || is_begin(line, length, json.begin_compact) ||
           is_begin(line, length, logfmt.begin) || is_begin(line, length, logfmt.begin_compact);
}

static bool recover_worker(struct cursors *cursors, struct rest line, const struct syntax *syntax, const char *id)
{
    size_t length = (size_t)(line.end - line.at);
    bool started = memmem(line.at, length, syntax->started, strlen(syntax->started)) != NULL;
    bool finished = memmem(line.at, length, syntax->finished, strlen(syntax->finished)) != NULL;
    struct cursor_segment *segment = started || finished ? cursors_segment(cursors, id) : NULL;

    if (!segment)
        return false;
    segment->started |= started;
    segment->finished |= finished;
    return true;
}

static bool recover_syntax(struct cursors *cursors, struct rest line, const struct syntax *syntax)
{
    struct rest rest = line;
    uint64_t ring, seq;

    if (!skip(&rest, syntax->begin) && !skip(&rest, syntax->begin_compact))
        return false;
    bool about_worker = skip(&rest, "worker");
    rest.at = find_last(rest, syntax->segment);
    if (!rest.at || !skip(&rest, syntax->segment))
        return false;
    const char *id = rest.at;
    size_t digits = hex_digits(&rest);
    rest.at += digits;
    if (about_worker) {
        bool whole = digits == SEGMENT_TEXT && skip(&rest, syntax->worker_end) && rest.at == rest.end;
        return whole && recover_worker(cursors, line, syntax, id);
    }
    if (!skip(&rest, syntax->ring) || !read_number(&rest, &ring) || !skip(&rest, syntax->seq) ||
        !read_number(&rest, &seq) || !skip(&rest, syntax->end) || rest.at != rest.end)
        return false;
    struct cursor_segment *segment =
        digits == SEGMENT_TEXT ? cursors_segment(cursors, id) : cursors_short(cursors, id, digits);
    struct cursor_ring *position = segment && ring <= UINT32_MAX ? cursor_ring(segment, (uint32_t)ring) : NULL;
    if (position)
        cursor_advance(position, seq + 1);
    return position != NULL;
}

bool recover_line(struct cursors *cursors, const char *line, size_t length)
{
    struct rest rest = {line, line + length};

    return recover_syntax(cursors, rest, &json) || recover_syntax(cursors, rest, &logfmt);
}

/* Reads on until the buffer is full or the file ends. */
static int fill(int fd, char *buffer, size_t *used, uint64_t *at)
{
    while (*used < LINE_MAX_BYTES) {
        ssize_t done = pread(fd, buffer + *used, LINE_MAX_BYTES - *used, (off_t)*at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        if (done == 0)
            return 0;
        *used += (size_t)done;
        *at += (uint64_t)done;
    }
    return 0;
}

int recover_output(int fd, uint64_t from, struct cursors *cursors, uint64_t *ret_lines)
{
    char *buffer = malloc(LINE_MAX_BYTES);
    uint64_t at = from;
    size_t used = 0;
    bool too_long = false; /* within a line that is none of ours */
    int error = 0;

    *ret_lines = 0;
    if (!buffer)
        return -ENOMEM;
    while ((error = fill(fd, buffer, &used, &at)) == 0 && used > 0) {
        const char *line = buffer, *end = buffer + used, *newline;
        while (line < end && (newline = memchr(line, '\n', (size_t)(end - line)))) {
            if (!too_long)
                *ret_lines += recover_line(cursors, line, (size_t)(newline - line));
            too_long = false;
            line = newline + 1;
        }
        size_t left = (size_t)(end - line);
        if (line > buffer) {
            memmove(buffer, line, left);
        } else if (left == LINE_MAX_BYTES) {
            too_long = true;
            left = 0;
        } else {
            break; /* the end of the file */
        }
        used = left;
    }
    /* what is left has no newline: a torn line of ours goes, anything else is not ours to cut */
    if (!error && used > 0 && !too_long && is_ours(buffer, used) && ftruncate(fd, (off_t)(at - used)) && errno != EPERM)
        error = -errno; /* EPERM: a file that can only grow keeps its torn line */
    free(buffer);
    return error;
}
