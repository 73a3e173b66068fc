# SPDX-License-Identifier: MIT
"""What was tried for each target, and why it may be missed. In: a target's name. Out: a sentence or two for the report, which points to
docs/decisions.md. A miss never stands without it."""

PEERS = ("A scope costs what its two clock reads cost, so a peer that costs 90 to 130 ns cannot be 10 times as dear, and one that hides its "
         "stores behind the clock reads, as ours do, not 1.5 times; nothing of the scope is left to take away (decision 18)")
WALL = ("No call of it shows: the scopes of a run cost less than 0.02 % of it. What is left is the start of three processes (about 1 ms "
        "each: a segment, a ring, its pages) and the collector's share of busy cores. Where the interval is wider than 1 %, the machine "
        "was too noisy to tell; total CPU, in the table of `app`, says more then")
NO_TSC = "Where the kernel's clock source is no tsc, the general path is taken (decision 31). "
TRIED = {
    "demo worker": WALL,
    "scope / two clock reads": NO_TSC + "Five steps brought it from 1.03 to 1.01 in quiet phases (decisions 11 and 19); beyond that other programs "
                               "on the cores show, in the floor as well",
    "scope, 3 attributes": NO_TSC + "Attributes are encoded in registers, words 0 and 4 first: 1.62 to 1.02 (decision 11), 1.10 with the rest of "
                           "decision 19; -O3 made it slower",
    "counter / one clock read": NO_TSC + "The record is written where it is published: 174 to 59 instructions (decisions 19 and 26)",
    "gauge / one clock read": "The record is written where it is published: 174 to 59 instructions (decisions 19 and 26)",
    "instructions of a scope": "273 at first, 203 after eleven steps (decisions 11 and 19), 107 after eight more (decision 26). What is left: 49 in the "
                               "begin, 45 in the end, 13 in the caller and both calls; each that could still go would give up something",
    "disabled call": "One flag, no call: nothing is left to take away",
    "scopes above 1 µs, steady": "Pages are populated with the ring, names looked up once, no page fault is left; huge pages bring nothing. What "
                                 "remains is the wake of a sleeping collector, and interrupts and misses that the floor shows as well (decision "
                                 "19, the tail)",
    "scopes above 1 µs, bursts": "A burst past half a ring from idle holds one wake, the one system call that the protocol allows: with rings of "
                                 "1 MiB that alone is 1 in 8,192 to 10,000. A drain that looked often enough not to be woken would take a whole core; "
                                 "a larger ring (RING_BYTES) makes it rarer (decision 19, the tail)",
    "first event of a process": "Most of it is the kernel making a file and its pages; populating the ring at once costs less in all than "
                                "first touch (decision 19)",
    "first event of a thread, new ring": "First touch instead of populating takes 0.32 ms less, and makes each of the first 16,000 scopes 2 to 6 "
                                         "times as dear (decision 19): not done",
    "first event of a thread, pooled ring": "Rings of ended threads stay in a pool with their pages, and are taken by one compare-and-swap",
    "a call's cost with": "Rings share nothing: each has its own pages and lines. On two cores the second worker shares one with the collector, "
                          "and what else runs there shows",
    "LTTng-UST": PEERS,
    "ck_ring": PEERS,
    "StatsD over UDP": PEERS,
    "rate without a drop": "The drain sleeps 1 ms and is woken at half a ring; the other sleeps, thresholds and batch sizes are curves of decisions 15 "
                           "and 16; a second drain thread would not help (decision 23)",
    "collector, a record: drain + decode": "Prefetch, batch size and the short way of metrics are measured in decision 16, buckets without a branch in 28. "
                                           "Records come out of another core's cache, so a busy machine shows here first",
    "collector, a record: log": "Digit pairs, and what paths, keys and runs have in common made once (decision 28)",
    "collector, a record: sqlite": "One transaction a flush, prepared statements, rows only ever appended, and one statement for all attributes of a "
                                   "run; what else was tried stands in decision 29",
    "collector, a record: statsd": "Added up it costs 36 to 46 ns; each event on its own is a line of text, 345 ns in a quiet phase (decision 17)",
    "collector, a record: otlp": "What spans have in common is encoded once: 319 to 162 ns (decision 17)",
}


def tried(what):
    """By the longest beginning of the target's name."""
    return TRIED[max((name for name in TRIED if what.startswith(name)), key=len)]
