/* SPDX-License-Identifier: MIT */
/*
 * What `gb ls` asks of a running collector: a unix socket in the segments' directory. In: connections. Out: to each the accounts
 * of all reporters as of now, then the end. Control thread; status_ask runs in `gb`.
 *
 * The answer is lines of text, their fields divided by tabs: "gb-collector 1 PID", then one line a reporter, "NAME KEY=VALUE ...", with
 * "dropped.CAUSE=EVENTS" for each cause; then ".quarantined FILE" for each segment that it reads no more, the last ones first. A reader
 * passes over keys that it does not know, and lines that begin with a dot and another word; it believes nothing unchecked.
 */
#ifndef GB_COLLECTOR_STATUS_H
#define GB_COLLECTOR_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_NAME "status" /* the socket */
#define STATUS_REPORTERS 32
#define STATUS_CAUSES 16
#define STATUS_WORD 40
#define STATUS_QUARANTINED 32 /* told at most */
#define STATUS_FILE 64

struct fanout;
struct roster;

/* Makes the socket, in the place of one that a killed collector has left; mode 0600. Returns it, or -errno. */
int status_open(int directory_fd);
void status_close(int fd, int directory_fd); /* takes -1 */

/* Answers whoever has connected. Never waits for one. */
void status_serve(int fd, struct fanout *fanout, const struct roster *roster);

struct status_reporter {
    char name[STATUS_WORD];
    bool durable;
    uint64_t handed, delivered, skipped, unknown, queued, lag_ns, dropped;
    unsigned causes;
    struct {
        char cause[STATUS_WORD];
        uint64_t events;
    } cause[STATUS_CAUSES];
};

struct status {
    unsigned count;
    struct status_reporter reporters[STATUS_REPORTERS];
    unsigned quarantined;
    char quarantined_file[STATUS_QUARANTINED][STATUS_FILE];
};

/* An answer, which is whole when it ends with a newline; text[length] is 0, and the text is changed. 0 or -EPROTO, and then *ret_status is
 * anything. */
int status_parse(char *text, size_t length, struct status *ret_status);

/* Asks the collector of this directory, and waits for a second at most. -ENOENT, -ECONNREFUSED: there is none; -EPROTO: what answers is
 * none that we understand. */
int status_ask(int directory_fd, struct status *ret_status);

#endif
