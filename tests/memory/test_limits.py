#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FAULTS 26: a running collector gets no more descriptors, or no more address space. With a few left it takes the segments bit by bit; with
none it says that attaching is put off, and what of; once there are means again it takes all. Each event is in the log once.

usage: test_limits.py COLLECTOR MAKE_SEGMENTS"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

collector, make_segments = sys.argv[1:3]
SEGMENTS, EVENTS, PATIENCE_S = 200, 5, 300
KINDS = {"descriptors": (resource.RLIMIT_NOFILE, "Too many open files"), "address space": (resource.RLIMIT_AS, "Cannot allocate memory")}
FEW = {"descriptors": 20, "address space": 64 << 20}
failures = 0


def check(good, what):
    global failures
    if not good:
        print("FAILED:", what)
        failures += 1


def eventually(is_so, what, process):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end or process.poll() is not None:
            sys.exit(f"FAILED: never came true: {what}; exit status {process.poll()}")
        time.sleep(0.01)


def used(pid, kind):
    if kind == "descriptors":
        return max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmSize:"))


def run(kind, work):
    limit, why = KINDS[kind]
    segments = work + "/segments"
    os.mkdir(segments, 0o700)

    def left():
        return [name for name in os.listdir(segments) if name.endswith(".seg")]

    def said():
        with open(work + "/err") as text:
            return text.read()

    def make():
        subprocess.run([make_segments, segments, str(SEGMENTS), str(EVENTS)], check=True)

    with open(work + "/err", "w") as err:
        process = subprocess.Popen([collector, "--dir", segments, "--reporter", f"log:path={work}/log,queue=64"], stderr=err)
    try:
        make()  # also: what it needs for itself, it has
        eventually(lambda: not left(), "the first are gone", process)
        before = resource.prlimit(process.pid, limit)
        most = used(process.pid, kind) + FEW[kind]
        resource.prlimit(process.pid, limit, (most, before[1]))
        make()
        eventually(lambda: not left(), f"with few {kind} all are gone", process)
        check(used(process.pid, kind) <= most, f"more {kind} than it may")
        # as many as it has: the least that is not above every one of them
        none = 1 if kind == "descriptors" else 1 << 20
        resource.prlimit(process.pid, limit, (none, before[1]))
        told = len(said())
        make()
        eventually(lambda: "attaching is put off" in said()[told:], f"it says that there are no {kind}", process)
        check(why in said()[told:], f"{why} is not in: {said()[told:]}")
        check(len(left()) == SEGMENTS and process.poll() is None, f"{len(left())} wait")
        resource.prlimit(process.pid, limit, before)
        eventually(lambda: not left(), f"with {kind} again all are gone", process)
        process.send_signal(signal.SIGTERM)
        check(process.wait(PATIENCE_S) == 0, "the collector's exit status")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    with open(work + "/log") as lines:
        told = [json.loads(line) for line in lines]
    events = [(line["segment"], line["ring"], line["seq"]) for line in told if "seq" in line]
    ends = [line["segment"] for line in told if line.get("state") == "finished"]
    check(len(events) == len(set(events)) == 3 * SEGMENTS * EVENTS, f"{len(events)} events, {len(set(events))} distinct")
    check(len(ends) == len(set(ends)) == 3 * SEGMENTS, f"the ends of {len(ends)} workers")
    print(f"{kind}: {len(events)} events of {len(ends)} workers")
    if failures:
        print(said())


for kind in KINDS:
    work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
    try:
        run(kind, work)
    finally:
        shutil.rmtree(work)
sys.exit(failures != 0)
