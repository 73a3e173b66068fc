/* SPDX-License-Identifier: MIT */
/*
 * Cleans up where no collector does: segments of dead workers, oldest first, as far as they exceed a budget. In: the directory.
 * Out: files removed; what their workers had published and nobody took is written to GBW_REAPED_NAME before, for the next
 * collector to report. Under the slow lock of a process that starts, before it has a segment; bounded in time.
 *
 * Recordings are no collector's: they are cleaned up beside a running one as well, and nothing is written of them, as what
 * stands in them is there to be overwritten.
 */
#ifndef GB_LIB_JANITOR_H
#define GB_LIB_JANITOR_H

#include <stdbool.h>
#include <stdint.h>

/* lock_fd: of the lock file; byte 1 is held while files are removed. recordings: those alone. */
void janitor_clean(int directory_fd, int lock_fd, uint64_t budget, bool recordings);

#endif
