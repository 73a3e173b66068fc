/* SPDX-License-Identifier: MIT */
/*
 * Command lines: one table of options is parser, help, and the list of what is accepted. In: argv. Out: one option after
 * another, or a sentence on stderr that names what is wrong. Main thread.
 */
#ifndef GB_COLLECTOR_CLI_ARGS_H
#define GB_COLLECTOR_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One row; the table ends with a row whose name is NULL. */
struct args_option {
    const char *name;  /* long, without dashes */
    char letter;       /* 0: none */
    const char *value; /* what it takes, as help writes it: FILE; NULL: nothing */
    const char *help;  /* a sentence without full stop */
};

struct args_command {
    const char *program;  /* "gb run" */
    const char *synopsis; /* what follows the program, one line */
    const char *about;    /* paragraphs, separated by an empty line; wrapped at 80 columns */
    const struct args_option *options;
    bool takes_command; /* options end at the first word that is none: the rest is a command of the user's */
};

enum { ARGS_END = -1, ARGS_HELPED = -2, ARGS_WRONG = -3 };

struct args {
    const struct args_command *command;
    int argc;
    char **argv;
    int next; /* index in argv of the first word that is no option, after ARGS_END */
};

/* argv[0] is passed over. */
void args_begin(struct args *args, const struct args_command *command, int argc, char **argv);

/* The index of the next option in the table, with its value; ARGS_END after the last; ARGS_HELPED when --help or --version
 * was written (exit 0); ARGS_WRONG when the mistake was told (exit 2). --help, -h and --version need no rows. */
int args_next(struct args *args, const char **ret_value);

/* Nothing may stand after the options: false, and told, if something does. */
bool args_nothing_left(const struct args *args);

void args_help(const struct args_command *command, FILE *out);
void args_version(const char *program);

/* Which of `count` words is the one that was meant, or NULL when none is near. */
const char *args_nearest(const char *word, const char *const *words, size_t count);

#endif
