/* SPDX-License-Identifier: MIT */
/*
 * The lines of `log` for a syslog daemon: one datagram each to its unix socket, in the form that libc's syslog(3) sends ("<30>Nov 22
 * 16:41:22 gb-collector[4711]: {...}"), which rsyslog, journald and busybox read there. In: whole lines. Out: datagrams. Opened
 * by the control thread, all else on the reporter's.
 *
 * A call waits for a slow daemon no longer than it is told; what is not sent stays for the next call. A daemon that went away gets ten
 * seconds to come back (a restart loses nothing), then lines are dropped, counted by cause, until it is there again.
 */
#ifndef GB_REPORTERS_LOG_SYSLOG_H
#define GB_REPORTERS_LOG_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "gb/reporter.h"

#define SYSLOG_FACILITIES "daemon|user|local0|local1|local2|local3|local4|local5|local6|local7"

struct log_syslog;

/* Is it a syslog daemon that this path names: "syslog" or "syslog:SOCKET"? Then its socket, else NULL. */
const char *log_syslog_socket(const char *path);

/* facility: index into SYSLOG_FACILITIES. A daemon that is not there yet is no error: `say` tells. */
int log_syslog_open(const struct gb_reporter_setup *setup, const char *socket, unsigned facility,
                    struct log_syslog **ret_syslog);
void log_syslog_free(struct log_syslog *syslog);

/* Room for one line; add: it ends there. counted: the ledger has it. NULL: no memory. */
char *log_syslog_room(struct log_syslog *syslog, size_t bytes);
void log_syslog_add(struct log_syslog *syslog, const char *end, bool counted);

/* Bytes that wait. */
size_t log_syslog_held(const struct log_syslog *syslog);

/* 0: every line is sent, or lost and counted. -EAGAIN: the rest waits. */
int log_syslog_send(struct log_syslog *syslog, int wait_ms);

#endif
