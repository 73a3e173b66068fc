/* SPDX-License-Identifier: MIT */
/*
 * One value of an option, by its type. In: text as a user writes it. Out: the value, or a sentence. Any thread.
 */
#ifndef GB_COLLECTOR_OPTION_VALUE_H
#define GB_COLLECTOR_OPTION_VALUE_H

#include <stddef.h>

#include "gb/reporter.h"

/* Sets ret_value->number (not its text). -EINVAL: `error` says what is accepted, without naming the key. */
int option_value_parse(const struct gb_option *option, const char *text, struct gb_option_value *ret_value, char *error,
                       size_t error_size);

/* The word of the list `one|other` that is at `index`: its length; 0: there is none. */
size_t option_choice(const char *choices, unsigned index, const char **ret_word);

/* How unlike two words are: letters to be changed, left out, put in or swapped. */
unsigned word_distance(const char *a, size_t a_length, const char *b, size_t b_length);

/* Is that near enough to have been meant? */
bool word_is_near(unsigned distance, size_t length);

#endif
