/* SPDX-License-Identifier: MIT */
/* The scene of freeze's tests: a recording by the wire format alone, with one ring that has been overwritten as far as a test says. */
#ifndef TESTS_RECORDING_SCENE_H
#define TESTS_RECORDING_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/decode.h"
#include "collector/freeze.h"
#include "tests/collector/fake_segment.h"

#define SLOTS 256u
#define SYNTHETIC_SLOTS 2u /* before a window: a lease and a lost record */

extern struct fake_directory directory, copies;
extern struct fake_segment *fake;
extern struct fake_ring *ring;    /* the last one that was added */
extern struct segment *recording; /* as attached; NULL: not yet */
extern uint64_t events, tail;     /* that were put into the ring */

int recording_set_up(void **state);
int recording_tear_down(void **state);
#define RECORDING_TEST(name) cmocka_unit_test_setup_teardown(name, recording_set_up, recording_tear_down)

void recording_attach(void);
void add_ring(uint64_t start);

void put_lease(uint64_t number, bool again);
void put_event(uint32_t more);
/* Up to slot `until`, as a worker with that lease writes them: a lease record to each 32 slots. */
void put_events(uint64_t until, uint64_t number);

/* The ring, frozen now. frozen_ring_free */
struct frozen_ring frozen_now(enum gbw_how how);
const struct gbw_record *slot_of(const struct frozen_ring *frozen, uint64_t at);

#endif
