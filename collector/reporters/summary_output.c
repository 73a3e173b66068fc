/* SPDX-License-Identifier: MIT */
/* Where a summary goes: see summary_output.h. */
#include "collector/reporters/summary_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/memory_stream.h"

#define COLUMNS_DEFAULT 80u
#define LINES_DEFAULT 24u

static int write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* A temporary file beside `path`, so that rename can put it there. */
static int make_temporary(const char *path, char **ret_name, int *ret_fd)
{
    char *name = NULL;
    if (asprintf(&name, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        int error = -errno;
        free(name);
        return error;
    }
    *ret_name = name;
    *ret_fd = fd;
    return 0;
}

static int replace_file(const char *path, const char *text, size_t bytes)
{
    char *name = NULL;
    int fd = -1;
    int result = make_temporary(path, &name, &fd);
    if (result < 0)
        return result;
    result = write_all(fd, text, bytes);
    if (close(fd) < 0 && result == 0)
        result = -errno;
    if (result == 0 && rename(name, path) < 0)
        result = -errno;
    if (result < 0)
        unlink(name);
    free(name);
    return result;
}

/* A file that is there is replaced where it really stands, not at a link to it. One that is not there can be made. */
static int open_file(const char *path, struct summary_output *output)
{
    char *name = NULL;
    int fd = -1;
    output->path = realpath(path, NULL);
    if (output->path == NULL && errno == ENOENT)
        output->path = strdup(path);
    if (output->path == NULL)
        return -errno;
    int result = make_temporary(output->path, &name, &fd);
    if (result < 0)
        return result;
    close(fd);
    unlink(name);
    free(name);
    return 0;
}

/* A device, a pipe: written to as it is, never replaced. */
static int open_special(const char *path, struct summary_output *output)
{
    output->fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    output->own_fd = true;
    return output->fd < 0 ? -errno : 0;
}

int summary_output_open(const char *path, struct summary_output *ret_output)
{
    struct stat status;
    struct summary_output output = {.fd = -1};
    int result = 0;
    if (strcmp(path, "-") == 0)
        output.fd = STDOUT_FILENO;
    else if (strcmp(path, "stderr") == 0)
        output.fd = STDERR_FILENO;
    else if (stat(path, &status) < 0 || S_ISREG(status.st_mode))
        result = open_file(path, &output);
    else
        result = S_ISDIR(status.st_mode) ? -EISDIR : open_special(path, &output);
    if (result < 0) {
        summary_output_close(&output);
        return result;
    }
    const char *term = getenv("TERM");
    output.terminal = output.fd >= 0 && isatty(output.fd) && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
    *ret_output = output;
    return 0;
}

void summary_output_close(struct summary_output *output)
{
    if (output->own_fd && output->fd >= 0)
        close(output->fd);
    free(output->path);
    *output = (struct summary_output){.fd = -1};
}

/* A whole positive number in the environment, or 0. */
static unsigned environment_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    unsigned long number = text != NULL ? strtoul(text, &end, 10) : 0;
    return number > 0 && number < 10000 && *end == '\0' ? (unsigned)number : 0;
}

unsigned summary_output_columns(const struct summary_output *output)
{
    struct winsize size;
    if (output->terminal && ioctl(output->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    unsigned columns = environment_number("COLUMNS");
    return columns > 0 ? columns : COLUMNS_DEFAULT;
}

unsigned summary_output_lines(const struct summary_output *output)
{
    struct winsize size;
    if (!output->terminal)
        return 0;
    if (ioctl(output->fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return LINES_DEFAULT;
}

bool summary_output_colour(const struct summary_output *output)
{
    const char *no_color = getenv("NO_COLOR");
    return output->terminal && (no_color == NULL || *no_color == '\0');
}

/* Home of the drawing, then each line in place of an old one, then the rest of the screen below. Without
 * automatic margins, so that a window that shrank meanwhile does not add lines. */
static int draw(struct summary_output *output, const char *text, size_t bytes, bool in_place)
{
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    if (out == NULL)
        return -ENOMEM;
    unsigned lines = 0;
    fputs(in_place ? "\033[?7l\r" : "\r", out);
    if (output->drawn > 0)
        fprintf(out, "\033[%uA", output->drawn);
    for (const char *at = text; at < text + bytes; lines++) {
        const char *end = memchr(at, '\n', (size_t)(text + bytes - at));
        size_t length = end != NULL ? (size_t)(end - at) : (size_t)(text + bytes - at);
        fputs("\033[K", out); /* before the text: in the last column it would wipe that */
        fwrite(at, 1, length, out);
        fputc('\n', out);
        at += length + 1;
    }
    fputs(in_place ? "\033[J\033[?7h" : "\033[J", out);
    output->drawn = in_place ? lines : 0;
    char *buffer = memory_stream_close(&stream, out);
    int result = buffer != NULL ? write_all(output->fd, buffer, stream.length) : -ENOMEM;
    free(buffer);
    return result;
}

int summary_output_write(struct summary_output *output, const char *text, size_t bytes, bool in_place)
{
    if (output->path != NULL)
        return replace_file(output->path, text, bytes);
    if (in_place || output->drawn > 0)
        return draw(output, text, bytes, in_place);
    return write_all(output->fd, text, bytes);
}
