/* SPDX-License-Identifier: MIT */
/*
 * Who a process is, so that a collector or a janitor can tell later whether it lives (docs/protocol.md, section 7): boot,
 * namespaces, start time. In: /proc. Out: numbers, 0 for what is not to be known. Slow paths.
 */
#ifndef GB_LIB_IDENTITY_H
#define GB_LIB_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct identity {
    uint8_t boot_id[16];
    uint64_t pid_ns, time_ns; /* inodes */
};
void identity_read(struct identity *ret_identity);

/* Field 22 of /proc/PID/stat; pid 0: the caller's own. 0: no such process, or no /proc. ret_state: 'Z' is a zombie. */
uint64_t process_start_time(pid_t pid, char *ret_state);

/* Does /proc/PID/maps hold this file? True also when that cannot be known. */
bool process_maps(pid_t pid, dev_t dev, ino_t ino);

/* The beginning of a file, zero-terminated. Bytes read, or -errno. */
ssize_t file_start(const char *path, char *to, size_t room);

#endif
