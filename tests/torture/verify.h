/* SPDX-License-Identifier: MIT */
/* Does an event say what its stream and ordinal ask for? (I5) */
#ifndef GB_TESTS_TORTURE_VERIFY_H
#define GB_TESTS_TORTURE_VERIFY_H

#include "gb/reporter.h"
#include "tests/torture/book.h"

struct tags {
    uint64_t stream, i;
    enum shape shape;
};

/* What is wrong with an event that lacks attributes. */
extern const char verify_bare[];

/* NULL, or what is wrong with it. */
const char *verify_event(const struct book *book, const struct gb_event *event, struct tags *ret_tags);

#endif
