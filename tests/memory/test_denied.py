#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FAULTS 26: each allocation of a collector fails, in turn: once, or that one and all after it.

A collector takes segments of dead workers with one reporter beside a log, or it runs, reads another configuration at SIGHUP, and takes
more. It may fail, in words, but neither crash nor hang; what it did not take, the next one takes, unharmed: then each event is in the log
(and in the database) once, or was counted as lost.

The case `worker` (FAULTS 7) lets a worker's library have no file and no mapping, in turn: the worker's own result is the same, each of its
two processes says one sentence at most, and what it counts is what a collector finds.

usage: test_denied.py COLLECTOR MAKE_SEGMENTS WORKER DENY.so [--all | --some N] [--case NAME]... [--at K] [--wrap COMMAND]
By default each of the first 8 allocations of a case, and 8 of the rest; --all: each. --wrap: a command to run what is harmed by.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 120
SEGMENTS, EVENTS = 2, 6

# name: what stands beside the log, and what of it SIGHUP changes; None: it is run once over what is there
CASES = {
    "log": ("", None),
    "sqlite": ("  - sqlite: {path: %s/db}\n", None),
    "summary": ("  - summary: {path: %s/summary}\n", None),
    "prometheus": ("  - prometheus: {listen: 127.0.0.1:0}\n", None),
    "otlp": ("  - otlp: {endpoint: http://127.0.0.1:1, signals: metrics+traces}\n", None),
    "statsd": ("  - statsd: {address: 127.0.0.1:1}\n", None),
    "trace": ("  - trace: {path: %s/trace}\n", None),
    "exec": ("  - exec: {command: cat >%s/exec}\n", None),
    "reload": ("  - summary: {path: %s/summary}\n  - statsd: {address: 127.0.0.1:1}\n",
               "  - summary: {path: %s/summary, format: json}\n  - log: {path: %s/other, format: logfmt}\n"),
    "worker": ("", None),
}
WORKER_SAYS = "sum 3030"  # whatever it cannot have
SAYS_SO = re.compile(r"memory|allocat|temporarily unavailable", re.I)


class Place:
    """What one run needs, on tmpfs: segments, outputs, a configuration."""

    def __init__(self, arguments, name):
        self.arguments, self.name = arguments, name
        self.path = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
        self.segments = self.path + "/segments"
        self.config = self.path + "/gb.yaml"
        os.mkdir(self.segments, 0o700)
        self.made = 0
        if name != "worker":
            self.make()
        self.configure(CASES[name][0])

    def remove(self):
        shutil.rmtree(self.path)

    def make(self):
        subprocess.run([self.arguments.make_segments, self.segments, str(SEGMENTS), str(EVENTS)], check=True)
        self.made += SEGMENTS * EVENTS

    def configure(self, beside):
        with open(self.config + ".new", "w") as out:
            if self.name == "otlp":  # nobody takes what it sends: it would wait for the whole of the deadline, each time
                out.write("flush_deadline: 1s\n")
            out.write("reporters:\n  - log: {path: %s/log}\n" % self.path + beside.replace("%s", self.path))
        os.rename(self.config + ".new", self.config)

    def left(self):
        return glob.glob(self.segments + "/gb-*.seg")

    def start(self, deny, *options):
        environment = dict(os.environ, **deny)
        command = [self.arguments.collector, "--dir", self.segments, "--config", self.config, *options]
        if self.name != "log":  # the sandbox once, not in each case
            command.append("--no-sandbox")
        return subprocess.Popen(self.arguments.wrap.split() * bool(deny) + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=open(self.path + "/err", "ab"), env=environment, text=True)

    def said(self):
        with open(self.path + "/err", errors="replace") as text:
            return text.read()

    def await_(self, process, condition):
        """Or the end of the process, or what an allocation that fails for ever keeps from happening: then things go on all the same."""
        until = time.monotonic() + 2
        while process.poll() is None and not condition() and time.monotonic() < until:
            time.sleep(0.005)


def handles_hangup(pid):
    """Before it does, the signal would end it."""
    with open(f"/proc/{pid}/status") as status:
        caught = next(line for line in status if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (signal.SIGHUP - 1) & 1


def run(place, deny):
    """The exit status, or None: it did not end."""
    beside = CASES[place.name][1]
    process = place.start(deny, *([] if beside else ["--once"]))
    if beside:
        place.await_(process, lambda: not place.left())
        place.configure(beside)
        if process.poll() is None:
            place.await_(process, lambda: handles_hangup(process.pid))
            process.send_signal(signal.SIGHUP)
            place.await_(process, lambda: "was read again" in place.said() or "nothing has changed" in place.said())
        place.make()
        place.await_(process, lambda: not place.left())
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return process.returncode


# ---- what must be true ----
def told_lost(said, reporter):
    """By the ledgers: what this reporter dropped, by its causes."""
    rows = re.findall(r"^  %s +[0-9,]+ +([0-9,]+)" % re.escape(reporter), said, re.M)
    return sum(int(row.replace(",", "")) for row in rows)


def read_log(path):
    """The events' names, and the segments whose end was told."""
    events, ends = [], []
    with open(path) as lines:
        for line in lines:
            line = json.loads(line)
            if line.get("state") == "finished":
                ends.append(line["segment"])
            elif line["event"] in ("telemetry.timing", "telemetry.metric") and line.get("cause") != "died":
                events.append((line["segment"], line["ring"], line["seq"]))
    return events, ends


def read_database(path):
    with sqlite3.connect(path) as database:
        return database.execute("select worker_id, ring, seq from timings join threads using (thread_id)").fetchall()


def compare(events, lost, made, where, sticky):
    """What one collector told lost may come back by the next one, where nothing of it could be stored as done."""
    if len(set(events)) != len(events):
        return f"{where}: {len(events)} events, {len(set(events))} distinct"
    if len(events) + lost < made or len(events) > made or (not sticky and len(events) + lost != made):
        return f"{where}: {len(events)} events and {lost} told lost, not {made}"
    return None


def judge(place, status, of_first, sticky):
    said = place.said()
    if status is None:
        return "did not end"
    if status < 0 or "Sanitizer" in said or status == 99:
        return f"ended by signal {-status}" if status < 0 else "an error by the instrument"
    if status not in (0, 1):
        return f"exit status {status}"
    if status == 1 and not SAYS_SO.search(of_first):
        return "failed, and did not say that memory was short"
    if place.left():
        return "segments are left"
    events, ends = read_log(place.path + "/log")
    wrong = compare(events, told_lost(said, "log"), place.made, "log", sticky)
    told = sticky and "no memory for lines" in of_first
    if not wrong and (len(set(ends)) != len(ends) or len(ends) > place.made // EVENTS):
        wrong = "a worker's end was told twice"
    if not wrong and len(ends) < place.made // EVENTS and not told:
        wrong = f"the ends of {len(ends)} workers were told"
    if not wrong and place.name == "sqlite":
        wrong = compare(read_database(place.path + "/db"), told_lost(said, "sqlite"), place.made, "sqlite", sticky)
    return wrong


def run_worker(place, deny):
    """Its exit status, and what is wrong."""
    environment = dict(os.environ, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=place.segments,
                       GB_DENY_FILES="1", **deny)
    result = subprocess.run(place.arguments.wrap.split() + [place.arguments.worker], env=environment, capture_output=True,
                            text=True, timeout=PATIENCE_S)
    lines = result.stdout.split("\n")
    if result.returncode or lines[0] != WORKER_SAYS:
        return result.returncode, f"exit status {result.returncode}, {lines[0]}\n{result.stderr}"
    begun, attempted, dropped, folded, enabled = map(int, lines[1].split())
    if await_end(place):
        return 0, "the collector after it failed\n" + place.said()
    events, _ = read_log(place.path + "/log")
    wrong = None
    # the scope that was jumped out of: without a look at its own mappings the library leaves it to the autopsy
    if attempted > begun or (enabled == 2 and attempted < begun - 3):
        wrong = f"{begun} events were begun, and {attempted} counted"
    elif len(set(events)) != len(events) or len(events) + dropped + folded != attempted:
        wrong = f"{attempted} attempted, {dropped} dropped, {folded} folded; {len(set(events))} of {len(events)} in the log"
    elif len(result.stderr.splitlines()) > 2:
        wrong = "more than one sentence of a process"
    elif enabled < 2 and not result.stderr:
        wrong = "no word of why it is disabled"
    elif place.left():
        wrong = "segments are left"
    return int(enabled < 2), wrong and f"{wrong}\n{result.stderr}{place.said()}"


def one(arguments, name, at, sticky):
    """How many allocations there were, whether the run failed, and what is wrong."""
    place = Place(arguments, name)
    try:
        # libseccomp 2.5.4 does not survive it: seccomp_load crashes, or never returns, while nothing is attached yet
        deny = {"LD_PRELOAD": arguments.deny, "GB_DENY_AT": str(at), "GB_DENY_COUNT": place.path + "/count",
                "GB_DENY_EXCEPT": "libseccomp"}
        if sticky:
            deny["GB_DENY_STICKY"] = "1"
        if name == "worker":
            status, wrong = run_worker(place, deny)
        else:
            status = run(place, deny)
            of_first = place.said()
            wrong = "the one after it failed" if await_end(place) else judge(place, status, of_first, sticky or name == "otlp")
            wrong = wrong and f"{wrong}\n{place.said()}"
        text = ""
        if os.path.exists(place.path + "/count"):
            with open(place.path + "/count") as count:
                text = count.read()
        return int(text) if text else 0, status, wrong
    finally:
        place.remove()


def await_end(place):
    """A collector that can have what it wants takes what is left. Its exit status."""
    process = place.start({}, "--once")
    process.communicate(timeout=PATIENCE_S)
    return process.returncode


def choose(count, some):
    """All of the first, then some, evenly."""
    if some is None or count <= some:
        return list(range(1, count + 1))
    first = some // 2
    return list(range(1, first + 1)) + list(range(first + 1, count + 1, (count - first) // first + 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("collector")
    parser.add_argument("make_segments")
    parser.add_argument("worker")
    parser.add_argument("deny")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--some", type=int, default=16, help="of each case")
    parser.add_argument("--at", type=int)
    parser.add_argument("--wrap", default="")
    arguments = parser.parse_args()
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name in arguments.case or CASES:
            count, status, wrong = one(arguments, name, 0, False)
            if wrong or status or not count:
                print(f"{name}, unharmed: status {status}, {count} allocations, {wrong}")
                return 1
            places = [arguments.at] if arguments.at else choose(count, None if arguments.all else arguments.some)
            tries = [(at, sticky) for at in places for sticky in (False, True)]
            failed = 0
            for (at, sticky), (_, status, wrong) in zip(tries, pool.map(lambda t: one(arguments, name, *t), tries)):
                failed += status != 0
                if wrong:
                    failures += 1
                    print(f"FAILED: {name}, allocation {at} of {count}{' and all after it' if sticky else ''}: {wrong}", flush=True)
            print(f"{name}: {count} allocations, {len(tries)} runs, {failed} of them failed in words", flush=True)
    return 1 if failures else 0


sys.exit(main())
