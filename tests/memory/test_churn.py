#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FAULTS I6: a day of workers that come and go, as fast as the machine can: the collector's memory, descriptors and mappings, and the
files in the segments' directory, are as they were.

A day is 4,300 processes (30,000 a week), each of which has 8 threads one after the other; one in eight is killed, one in eight vanishes.
They come in 60 batches. After each, once no segment is left, the collector is looked at, when it has put down what it still held of the
last ones: as many descriptors as ever, or five seconds later. A third of the batches warms it up; in the
last third nothing may be above what the second third had, but for 10 % of its memory and 4 mappings, since an allocator grows by
steps: 600 bytes that each worker left behind would be more. In the end each event is in the log once, and
was stored in the database, which keeps the newest: else its cache would fill for hours.

usage: test_churn.py COLLECTOR CHURN [--days N]"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PROCESSES, THREADS, EVENTS, BATCHES = 4300, 8, 3, 60
PATIENCE_S, SETTLE_S = 300, 5
parser = argparse.ArgumentParser()
parser.add_argument("collector")
parser.add_argument("churn")
parser.add_argument("--days", type=float, default=1)
arguments = parser.parse_args()
work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
segments = work + "/segments"
os.mkdir(segments, 0o700)
failures = 0


def check(good, what):
    global failures
    if not good:
        print("FAILED:", what)
        failures += 1


def eventually(is_so, what):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"FAILED: never came true: {what}")
        time.sleep(0.01)


def files():
    return len(os.listdir(segments))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def look_settled(pid, before):
    """What stays above what it was, five seconds long, has grown."""
    least = min((one["descriptors"] for one in before), default=0)
    end = time.monotonic() + SETTLE_S
    while descriptors(pid) > least and time.monotonic() < end:
        time.sleep(0.01)
    return look(pid)


def look(pid):
    """What it has: anonymous memory in KiB, descriptors, mappings, files in the directory."""
    with open(f"/proc/{pid}/status") as status:
        anonymous = int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1))
    with open(f"/proc/{pid}/maps") as maps:
        mappings = sum(1 for _ in maps)
    return {"memory": anonymous, "descriptors": descriptors(pid), "mappings": mappings, "files": files()}


def said():
    with open(work + "/err") as text:
        return text.read()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as page:
            return page.read() != b""
    except urllib.error.HTTPError:
        return False


def run():
    environment = dict(os.environ, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=segments,
                       GEMINI_BATCH_TELEMETRY_RING_BYTES="16384")
    with open(work + "/err", "w") as err:
        collector = subprocess.Popen([arguments.collector, "--dir", segments, "--reporter", f"log:path={work}/log",
                                      "--reporter", f"sqlite:path={work}/db,max_size=4MiB", "--reporter", f"summary:path={work}/summary",
                                      "--reporter", "prometheus:listen=127.0.0.1:0"], stderr=err)
    try:
        eventually(lambda: "/metrics" in said() or collector.poll() is not None, "the collector runs")
        url = re.search(r"http://\S+/metrics", said()).group(0)
        processes, emitted, looks = max(BATCHES, int(PROCESSES * arguments.days)) // BATCHES, 0, []
        for _ in range(BATCHES):
            emitted += int(subprocess.run([arguments.churn, str(processes), str(THREADS), str(EVENTS)], env=environment,
                                          stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S).stdout)
            eventually(lambda: not any(name.endswith(".seg") for name in os.listdir(segments)), "no segment is left")
            eventually(lambda: answers(url), "/metrics answers")
            looks.append(look_settled(collector.pid, looks))
        third = BATCHES // 3
        for what in looks[0]:
            before = max(one[what] for one in looks[third:2 * third])
            after = max(one[what] for one in looks[2 * third:])
            bound = before + {"memory": before / 10, "mappings": 4}.get(what, 0)
            print(f"{what}: {looks[0][what]} after the first batch, at most {before} in the second third, {after} in the last")
            check(after <= bound, f"{what} grows: {[one[what] for one in looks]}")
        collector.send_signal(signal.SIGTERM)
        check(collector.wait(PATIENCE_S) == 0, "the collector's exit status")
        check_counts(emitted, processes * BATCHES)
    finally:
        if collector.poll() is None:
            collector.kill()


def check_counts(emitted, processes):
    with open(work + "/log") as lines:
        told = [json.loads(line) for line in lines]
    names = [(line["segment"], line["ring"], line["seq"]) for line in told
             if line["event"] in ("telemetry.timing", "telemetry.metric") and not line.get("unfinished")]
    ends = sum(line.get("state") == "finished" for line in told)
    check(len(names) == len(set(names)) == emitted, f"{len(names)} events in the log, {len(set(names))} distinct, of {emitted}")
    check(ends == processes, f"the ends of {ends} workers in the log, of {processes}")
    for reporter in ("log", "sqlite", "summary", "prometheus"):
        check(re.search(f"^  {reporter} +{emitted:,} +0$", said(), re.M), f"{reporter} has delivered all")
    print(f"{processes} processes, {processes * THREADS} threads, {emitted} events")


try:
    run()
    if failures:
        print(said())
finally:
    shutil.rmtree(work)
sys.exit(failures != 0)
