/* SPDX-License-Identifier: MIT */
/* The scene of decode's tests: one rig, and one batch, into which a ring is decoded. */
#ifndef TESTS_DECODE_SCENE_H
#define TESTS_DECODE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/decode.h"
#include "tests/collector/rig.h"

extern struct rig rig;
extern struct batch *batch;

int decode_set_up(void **state);
int decode_tear_down(void **state);
#define DECODE_TEST(name) cmocka_unit_test_setup_teardown(name, decode_set_up, decode_tear_down)

void fresh_batch(void);
/* All that is published, into one batch. */
const struct gb_event *decode_all(struct ring *ring);

uint64_t bits_of(double value);

#endif
