/* SPDX-License-Identifier: MIT */
/* The private directory of `gb run`. In: nothing. Out: a path that only this run uses. Main thread. */
#ifndef GB_COLLECTOR_CLI_RUN_DIRECTORY_H
#define GB_COLLECTOR_CLI_RUN_DIRECTORY_H

#include <stdbool.h>

#define RUN_DIRECTORY_MAX 64

/* Mode 0700, on the tmpfs where segments belong. */
int run_directory_make(char ret_path[RUN_DIRECTORY_MAX]);

/* Segments stand there: workers that have not ended, or were not taken in whole. */
unsigned run_directory_segments(const char *path);

/* Recordings: no collector takes them. */
unsigned run_directory_recordings(const char *path);

/* Waits until no segment does, at most `milliseconds`: processes that the command leaves behind often end with it. */
void run_directory_settle(const char *path, unsigned milliseconds);

/* Removes it with all files in it. */
int run_directory_remove(const char *path);

#endif
