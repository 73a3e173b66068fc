/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is a file fuzz_NAME.c with the one function below; libFuzzer or AFL++ calls it, or replay.c with the inputs of
 * corpus/NAME/. What must hold is said by CHECK; what the sanitizers find ends it as well.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* An unsigned name by the fuzzers' own convention. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
