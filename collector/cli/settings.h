/* SPDX-License-Identifier: MIT */
/*
 * The effective settings of a worker that would be started from this environment. In: the environment. Out: for each
 * variable its value, where that comes from, and what a bad one would fall back to. Main thread.
 */
#ifndef GB_COLLECTOR_CLI_SETTINGS_H
#define GB_COLLECTOR_CLI_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#define SETTING_TEXT 1100

struct setting {
    const char *name;         /* the variable */
    const char *accepted;     /* what it may be */
    const char *given;        /* what the environment says; NULL: nothing */
    const char *source;       /* "environment", "default", or the name of another variable */
    bool bad;                 /* `given` is not accepted: the default is used */
    char value[SETTING_TEXT]; /* in force */
    char fallback[SETTING_TEXT];
};

#define SETTINGS 10
void settings_read(struct setting ret_settings[SETTINGS]);

#endif
