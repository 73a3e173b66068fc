/* SPDX-License-Identifier: MIT */
/*
 * Where a summary goes. In: its whole text. Out: a terminal, refreshed in place or not; a stream, one block after
 * another; or a plain file that always holds one whole summary. On the reporter's thread.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_OUTPUT_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct summary_output {
    char *path; /* of a file that is replaced; NULL: fd */
    int fd;
    bool own_fd, terminal;
    unsigned drawn; /* lines at the terminal that the next refresh draws over */
};

/* `path`: "-" is stdout, "stderr" is stderr. A file's place is tried; what is no plain file is written to as it is. */
int summary_output_open(const char *path, struct summary_output *ret_output);
void summary_output_close(struct summary_output *output);

/* Columns, and lines or 0, that a text may have here. */
unsigned summary_output_columns(const struct summary_output *output);
unsigned summary_output_lines(const struct summary_output *output);
bool summary_output_colour(const struct summary_output *output);

/* `in_place`: over what the last call in place drew, and to be drawn over; otherwise to stay. */
int summary_output_write(struct summary_output *output, const char *text, size_t bytes, bool in_place);

#endif
