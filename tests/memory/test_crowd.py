#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FAULTS 15: segments by the ten thousand, there when the collector starts, and as many again while it runs. It attaches some at once and
the others wait, which `gb ls` shows; descriptors and memory are bounded; a worker that lives beside them loses nothing; in the end
each event has come once, and no segment is left.

usage: test_crowd.py COLLECTOR GB MAKE_SEGMENTS CROWD WORKER [COUNT]      COUNT: 100000 takes some minutes, and 5 GB of /dev/shm"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

collector, gb, make_segments, crowd, worker = sys.argv[1:6]
COUNT = int(sys.argv[6]) if len(sys.argv) > 6 else 10000
ATTACHED, BESIDE = 4096, 64  # ROSTER_MAX; other descriptors
MEMORY_KIB = 400 << 10       # anonymous: some 40 KiB for each that is attached, and 64 MiB of batches
PATIENCE_S = 600 + COUNT // 50
work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
segments = work + "/segments"
failures, running, most = 0, [], {"descriptors": 0, "KiB of memory": 0}


def check(good, what):
    global failures
    if not good:
        print("FAILED:", what)
        failures += 1


def left():
    return sum(name.endswith(".seg") for name in os.listdir(segments))


def look(pid):
    with open(f"/proc/{pid}/status") as status:
        memory = int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1))
    most["KiB of memory"] = max(most["KiB of memory"], memory)
    most["descriptors"] = max(most["descriptors"], len(os.listdir(f"/proc/{pid}/fd")))


def eventually(is_so, what, pid):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        look(pid)
        if time.monotonic() > end:
            sys.exit(f"FAILED: never came true: {what}\n{said()}")
        time.sleep(0.05)


def said():
    with open(work + "/err") as text:
        return text.read()


def start(command, **options):
    running.append(subprocess.Popen(command, **options))
    return running[-1]


def those_that_wait(pid):
    """A collector that stands still has attached no more than it may, and the list has them all."""
    os.kill(pid, signal.SIGSTOP)
    rows = subprocess.run([gb, "ls", "--dir", segments], stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S).stdout
    files = left()
    look(pid)
    os.kill(pid, signal.SIGCONT)
    shown = sum(row.startswith("fake ") for row in rows.split("\n"))
    check(files - 1 <= shown <= files and files > ATTACHED, f"gb ls shows {shown} of {files} segments")
    print(f"{shown} segments in the list of gb ls, while at most {ATTACHED} are attached")


def run():
    os.mkdir(segments, 0o700)
    os.mkdir(work + "/template", 0o700)
    subprocess.run([make_segments, work + "/template", "1", "1"], check=True)
    template = f"{work}/template/{next(n for n in os.listdir(work + '/template') if n.endswith('.seg'))}"
    make = [crowd, template, segments, str(COUNT)]
    subprocess.run(make, check=True)
    began = time.monotonic()
    with open(work + "/err", "w") as err:
        process = start([collector, "--dir", segments, "--reporter", f"log:path={work}/log,queue=64"], stderr=err)
    if COUNT > 2 * ATTACHED:
        eventually(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) > ATTACHED // 4, "some are attached", process.pid)
        those_that_wait(process.pid)
    environment = dict(os.environ, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=segments)
    beside = start([worker, work + "/tally", "2", "0", "10", "5000"], env=environment)
    eventually(lambda: left() <= 1, "the first are gone", process.pid)
    print(f"{COUNT} at the start: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    more = start(make)
    eventually(lambda: more.poll() is not None, "the others are there", process.pid)
    check(more.returncode == 0, "making the others")
    eventually(lambda: left() <= 1, "the others are gone", process.pid)
    print(f"{COUNT} while it runs: {time.monotonic() - began:.1f} s")
    beside.kill()
    beside.wait()
    eventually(lambda: left() == 0, "all are gone", process.pid)
    process.send_signal(signal.SIGTERM)
    check(process.wait(PATIENCE_S) == 0, "the collector's exit status")
    check(most["descriptors"] <= ATTACHED + BESIDE, f"{most['descriptors']} descriptors")
    check(most["KiB of memory"] <= MEMORY_KIB, f"{most['KiB of memory']} KiB")
    print("at most", ", ".join(f"{value} {what}" for what, value in most.items()))
    check_log(beside.pid)


def check_log(pid):
    events, ends, own = set(), set(), None
    with open(work + "/log") as lines:
        for line in map(json.loads, lines):
            if line.get("state") == "finished":
                check(line["segment"] not in ends, "an end was told twice")
                ends.add(line["segment"])
                own = line if line["pid"] == pid else own
            elif "seq" in line and not line.get("unfinished"):
                name = (line["segment"], line["ring"], line["seq"])
                check(name not in events, f"{name} came twice")
                events.add(name)
    check(len(ends) == 2 * COUNT + 1, f"the ends of {len(ends)} workers")
    check(own and own["attempted"] == own["delivered"] and own["attempted"] > 1000, f"the worker beside them: {own}")
    check(own and len(events) == 2 * COUNT + own["delivered"], f"{len(events)} events")
    print(f"{len(events)} events, of them {own['delivered']} of the worker beside them")


try:
    run()
    if failures:
        print(said())
finally:
    for one in running:
        if one.poll() is None:
            one.kill()
            one.wait()
    shutil.rmtree(work)
sys.exit(failures != 0)
