#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The wall clock is stepped under a collector (fault 20). usage: test_clock.py GB_COLLECTOR WORKER STEP_CLOCK_SO

An hour back, two hours forward, and back again, while a worker emits. Wall times follow each step, within the second between two
samples of the clock; the monotonic ones, the order, and the durations know nothing of it."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

collector, worker, shim = map(os.path.abspath, sys.argv[1:])
STEPS = [0, -3600, 3600, 0]
work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
running = []


def fail(what):
    print("failed:", what)
    sys.exit(1)


def eventually(is_so, what):
    end = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > end:
            fail("never came true: " + what)
        time.sleep(0.02)


def start(command, **environment):
    running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, **environment}))
    return running[-1]


def put_step(seconds):
    with open(f"{work}/step", "r+b") as file:
        file.write(struct.pack("q", seconds))


rows, at = [], 0


def read():
    """The metrics so far. A line that is not whole yet waits."""
    global at
    if os.path.exists(f"{work}/log"):
        with open(f"{work}/log", "rb") as file:
            file.seek(at)
            whole = file.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            row = json.loads(line)
            if row["event"] in ("telemetry.metric", "telemetry.timing"):
                rows.append(row)
        at += len(whole) + 1 if whole else 0
    return rows


def offset(row):
    metric = row["event"] == "telemetry.metric"
    return row["wall_time_s"] - row["monotonic_s"] if metric else row["end_wall_time_s"] - row["end_monotonic_s"]


def stepped():
    with open(f"{work}/step", "wb") as file:
        file.write(bytes(8))
    watcher = start([collector, "--quiet", "--dir", f"{work}/segments", "--reporter", f"log:path={work}/log"], LD_PRELOAD=shim,
                    GB_TEST_STEP=f"{work}/step")
    start([worker, f"{work}/tally", "1", "0", "5", "2000"], GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=f"{work}/segments")
    real = time.time() - time.monotonic()
    eventually(lambda: len(read()) > 100, "events")
    begins = []
    for step in STEPS:
        put_step(step)
        changed = time.monotonic()
        begins.append(changed)
        eventually(lambda: rows[-1:] and read()[-1]["monotonic_s"] > changed + 3, "events three seconds later")
    watcher.terminate()
    if watcher.wait() != 0:
        fail("the collector ends")
    read()
    for earlier, later in zip(rows, rows[1:]):
        if later["seq"] <= earlier["seq"] or later["monotonic_s"] < earlier["monotonic_s"]:
            fail(f"out of order: {earlier} {later}")
    for index, step in enumerate(STEPS):
        end = begins[index + 1] if index + 1 < len(STEPS) else rows[-1]["monotonic_s"] + 1
        settled = [row for row in rows if begins[index] + 2.5 < row["monotonic_s"] < end]
        if not settled:
            fail(f"no events of step {step}")
        for row in settled:
            if abs(offset(row) - real - step) > 0.5:
                fail(f"step {step}: off by {offset(row) - real - step} s: {row}")
    print(f"{len(STEPS) - 1} steps, {len(rows)} events")


try:
    stepped()
finally:
    for process in running:
        process.kill()
        process.wait()
    shutil.rmtree(work)
