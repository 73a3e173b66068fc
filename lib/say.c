/* SPDX-License-Identifier: MIT */
/* See say.h. */
#include "lib/say.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

struct line {
    char text[SAY_MAX];
    size_t length;
};

static void put(struct line *line, char c)
{
    if (line->length < SAY_MAX - 1)
        line->text[line->length++] = c;
}

/* A path or a value may hold anything: a control character must not reach a terminal. */
static void put_text(struct line *line, const char *text)
{
    for (; *text; text++)
        put(line, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void put_number(struct line *line, unsigned long long number)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (n)
        put(line, digits[--n]);
}

static void put_signed(struct line *line, int number)
{
    if (number < 0)
        put(line, '-');
    put_number(line, number < 0 ? -(unsigned long long)number : (unsigned long long)number);
}

/* A pipe without a reader: the SIGPIPE that write() made pending is taken away, unless one was pending before. */
static void write_line(const struct line *line)
{
    struct pollfd stderr_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&stderr_fd, 1, 0) != 1 || !(stderr_fd.revents & POLLOUT))
        return;

    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    if (write(STDERR_FILENO, line->text, line->length) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
        const struct timespec now = {0, 0};
        while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void say(const char *format, ...)
{
    struct line line = {.length = 0};
    int saved = errno;
    va_list args;

    put_text(&line, "gb-telemetry: ");
    va_start(args, format);
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            put(&line, *at);
            continue;
        }
        switch (*++at) {
        case 's':
            put_text(&line, va_arg(args, const char *));
            break;
        case 'd':
            put_signed(&line, va_arg(args, int));
            break;
        case 'u':
            put_number(&line, va_arg(args, unsigned int));
            break;
        case 'l': /* %llu */
            at += 2;
            put_number(&line, va_arg(args, unsigned long long));
            break;
        }
    }
    va_end(args);
    line.text[line.length++] = '\n';
    write_line(&line);
    errno = saved;
}
