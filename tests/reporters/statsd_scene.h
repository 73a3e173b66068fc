/* SPDX-License-Identifier: MIT */
/* The scene of the tests of `statsd`: a worker with some paths, and a socket that takes what the reporter sends. */
#ifndef GB_TESTS_REPORTERS_STATSD_SCENE_H
#define GB_TESTS_REPORTERS_STATSD_SCENE_H

#include "collector/reporters/builtin.h"
#include "tests/reporters/synthetic.h"

#define STATSD gb_reporter_statsd
enum { ADDRESS, FLAVOUR, INTERVAL, RAW, LABELS, PREFIX };

extern struct synthetic worker;
extern struct synthetic_collector collector;
extern struct gb_option_value options[7];
extern char address[128], unix_path[64], received[1 << 20];
extern unsigned datagrams;
extern int peer;
extern const struct gb_path *step, *files, *level, *size;

/* Begins with a UDP socket at `address`. */
int statsd_set_up(void **state);
int statsd_tear_down(void **state);
#define STATSD_TEST(name) cmocka_unit_test_setup_teardown(name, statsd_set_up, statsd_tear_down)

/* A unix socket in the place of the UDP one: its path, and from then on somebody who listens there. */
void place_unix(void);
void listen_unix(void);

/* All that has come: datagrams, each with a newline behind it. */
void receive(void);

void *open_it(bool datadog, bool raw, const char *labels);
/* Some of every kind. */
void add_events(void);

#endif
