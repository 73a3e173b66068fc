/* SPDX-License-Identifier: MIT */
/* The command line of a program of the bench: nothing, --quick, or --help. */
#ifndef GB_BENCH_ARGUMENTS_H
#define GB_BENCH_ARGUMENTS_H

#include <stdbool.h>

/* -1: go on; else the exit status. */
int bench_arguments(int argc, char **argv, const char *usage, bool *ret_quick);

#endif
