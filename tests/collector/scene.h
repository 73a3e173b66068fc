/* SPDX-License-Identifier: MIT */
/*
 * The scene of the pipeline's tests: one rig, two recorders, one path, and what the tests do with them over and over.
 */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/collector/rig.h"

#define PATIENCE 20000000000ll

extern struct rig rig;
extern struct recorder first, second;
extern uint32_t path;

int scene_set_up(void **state);
int scene_tear_down(void **state);
#define SCENE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

void emit(uint32_t ring, unsigned count);
uint64_t head_of(uint32_t ring);
/* Passes until the head of ring 0 is at `slot`. */
void await_head(uint64_t slot);

struct gb_account worker_account(void);
/* After rig_stop: everything that was handed out has a place. */
void check_sums(unsigned reporters);

/* What the control thread says of a dead worker; then passes until all of it is committed. */
void die(const char *how);
bool is_committed(void *unused);

#endif
