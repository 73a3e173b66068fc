#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other reporters under load, at SIGHUP (fault 25). usage: test_reload.py GB_COLLECTOR WORKER

Beside a worker that never stops: sqlite changes, summary is left out, prometheus is added and then changes on the same port, one
cannot be opened, files with a mistake change nothing, 10^4 SIGHUPs come at once. The log that stays, and the database over all its
changes, have each event exactly once, and the ledger has the same numbers. Then the same with a collector that is killed at any
moment of a change."""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

collector, worker = sys.argv[1:3]
THREADS = 2
work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
running = []


def fail(what):
    print("failed:", what)
    for name in sorted(os.listdir(work)):
        if name.startswith("err"):
            with open(f"{work}/{name}") as lines:
                print("".join(f"  {name}: {line}" for line in lines.readlines()[-60:]))
    sys.exit(1)


def check(good, what):
    if not good:
        fail(what)


def eventually(is_so, what):
    end = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > end:
            fail("never came true: " + what)
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(name, command, **options):
    with open(f"{work}/{name}", "ab") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, **options)
    running.append(process)
    return process


class Scene:
    """A directory of segments, a configuration, a worker and a collector."""

    def __init__(self, name, *options):
        self.directory, self.name, self.options = f"{work}/{name}", name, options
        os.mkdir(self.directory)
        self.config = f"{self.directory}/c.yaml"
        self.segments = f"{self.directory}/segments"

    def path(self, name):
        return f"{self.directory}/{name}"

    def write(self, *reporters):
        with open(self.config + ".new", "w") as file:
            file.write(f"directory: {self.segments}\nflush_deadline: 60s\nreporters:\n" + "".join(f"  - {r}\n" for r in reporters))
        os.rename(self.config + ".new", self.config)

    def run_collector(self):
        self.process = start(f"err-{self.name}", [collector, "--verbose", *self.options, "--config", self.config])

    def run_worker(self):
        """Until it is told to stop; with rings for the time that a collector takes to come back."""
        environment = dict(os.environ, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=self.segments,
                           GEMINI_BATCH_TELEMETRY_RING_BYTES=str(16 << 20), GEMINI_BATCH_TELEMETRY_MAX_BYTES=str(512 << 20))
        self.worker = start(f"err-{self.name}-worker", [worker, self.path("tally"), str(THREADS), "0", "20", "1000"],
                            env=environment)

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def said(self, pattern):
        with open(f"{work}/err-{self.name}") as file:
            return len(re.findall(pattern, file.read(), re.M))

    def reload(self, pattern):
        """SIGHUP, until this was said once more."""
        before = self.said(pattern)
        self.hup()
        eventually(lambda: self.said(pattern) > before, f"{self.name}: {pattern}")

    def log_size(self):
        with contextlib.suppress(FileNotFoundError):
            return os.path.getsize(self.path("log"))
        return 0

    def go_on(self, more=100000):
        """Until the log that stays has more."""
        size = self.log_size()
        eventually(lambda: self.log_size() > size + more, "the log grows")

    def end(self):
        with open(self.path("tally"), "r+b") as tally:  # tests/endtoend/tally.h
            tally.seek(64 * 64 + 8)
            tally.write(struct.pack("=I", 1))
        check(self.worker.wait(120) == 0, "the worker failed")
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(60) == 0, "the collector failed")

    def check_log(self):
        seen = set()
        count = 0
        with open(self.path("log")) as lines:
            for line in lines:
                event = json.loads(line)
                if event["event"] == "telemetry.metric":
                    count += 1
                    seen.add((event["metadata"]["thread"], event["metadata"]["i"]))
        check(count == len(seen) == self.delivered(), f"log: {count} events, {len(seen)} distinct: {self.ledger()}")

    def check_database(self):
        with contextlib.closing(sqlite3.connect(self.path("db"))) as database:
            count, distinct = database.execute(
                "select count(*), count(distinct worker_id || '/' || ring || '/' || seq)"
                " from metrics join threads using (thread_id)").fetchone()
        check(count == distinct == self.delivered(), f"sqlite: {count} rows, {distinct} distinct: {self.ledger()}")

    def total(self):
        """By the worker's own account."""
        with open(self.path("tally"), "rb") as tally:
            counts = [struct.unpack("=QQ48x", tally.read(64)) for _ in range(THREADS)]
        check(all(begun == returned for begun, returned in counts), "the worker did not end between two events")
        return sum(begun for begun, _ in counts)

    def delivered(self):
        """What the workers could put into their rings, which held nothing back in vain."""
        ledger = self.ledger()
        delivered = ledger["delivered"][0]
        check(ledger["attempted"] == [self.total()] == [delivered + ledger["dropped"][0]], f"{self.total()}: {ledger}")
        check(delivered > self.total() / 4, f"hardly anything was delivered: {ledger}")
        return delivered

    def ledger(self):
        """The last one: name -> its numbers and causes."""
        with open(f"{work}/err-{self.name}") as file:
            text = file.read()
        rows = {}
        for line in text[text.rindex("ledger:"):].splitlines()[1:]:
            words = re.match(r"  (\S.*?) +([\d,]+)(.*)", line)
            if words:
                rows.setdefault(words[1], [int(words[2].replace(",", ""))] + words[3].replace(",", "").split())
        return rows


def get(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return answer.read().decode()


def is_ready(port):
    with contextlib.suppress(OSError):
        return get(port, "/readyz")


def under_load():
    scene = Scene("load", "--no-sandbox")
    port, other_port = free_port(), free_port()
    log = f"log: {{path: {scene.path('log')}, queue: 4096}}"
    database = f"sqlite: {{path: {scene.path('db')}, queue: 4096}}"
    changed = f"sqlite: {{path: {scene.path('db')}, queue: 4096, keep: 9h}}"
    summary = f"summary: {{path: {scene.path('summary')}, queue: 4096}}"
    prometheus = f"prometheus: {{listen: '127.0.0.1:{port}', queue: 4096}}"
    with_label = f"prometheus: {{listen: '127.0.0.1:{port}', queue: 4096, labels: thread}}"
    second = f"log: {{path: {scene.path('second')}, format: logfmt, queue: 4096}}"

    scene.write(log, database, summary)
    scene.run_collector()
    eventually(lambda: scene.said("watching"), "the collector starts")
    scene.run_worker()
    eventually(lambda: scene.log_size() > 100000, "the log begins")
    fds = len(os.listdir(f"/proc/{scene.process.pid}/fd"))

    # one stays, one changes, one is new, one is left out
    scene.write(log, changed, prometheus)
    scene.reload(r"in force now: sqlite \(changed\), prometheus \(new\), summary \(left out\)$")
    eventually(lambda: is_ready(port), "prometheus answers")
    check(os.path.getsize(scene.path("summary")) > 0, "summary has not told its last")
    scene.go_on()
    check("gb_collector_reporter_events_delivered_total{reporter=\"summary\"}" in get(port), "summary is out of the ledger")

    # nothing differs; a mistake; another order
    scene.reload(r"c\.yaml was read again: it says what is running$")
    scene.write(log, changed, prometheus, "lg")
    scene.reload(r"there is no reporter 'lg'; did you mean log\?.*; nothing has changed$")
    answered = scene.said(f"http://127.0.0.1:{port}/metrics")
    scene.write(log, changed, f"prometheus: {{listen: '127.0.0.1:{port}', queue: 4096, buckets: [1, 0.5]}}")
    scene.reload(r"c\.yaml:6:5: prometheus: buckets: 0\.5 does not rise above the bound before it; nothing has changed$")
    check(is_ready(port), "prometheus does not answer after a mistake in its options")
    check(scene.said(f"http://127.0.0.1:{port}/metrics") == answered, "prometheus was opened again")
    scene.write(prometheus, changed, log)
    scene.reload(r"c\.yaml was read again: it says what is running$")

    # the same port, which the old one must give up first
    scene.write(log, changed, with_label)
    scene.reload(r"in force now: prometheus \(changed\)$")
    eventually(lambda: is_ready(port), "prometheus answers after its change")
    scene.go_on()
    check('thread="1"' in get(port), "the new prometheus has no new label")

    # one that cannot be opened: the others go on; when it can, SIGHUP is enough
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", other_port))
        taken.listen()
        scene.write(log, changed, with_label, f"prometheus: {{listen: '127.0.0.1:{other_port}', queue: 4096}}")
        scene.reload(r"^gb-collector: prometheus-2 is left out, the other reporters go on; SIGHUP tries again$")
        eventually(lambda: scene.said("in force now, but for what could not be opened: prometheus-2"), "the end of that change")
        for _ in range(4):  # the first of it may have been drained before
            scene.go_on()
    scene.reload(r"in force now: prometheus-2 \(new\)$")
    eventually(lambda: is_ready(other_port), "the second prometheus answers")

    # durable ones come and go: what they left does not hold the rings
    scene.write(log, second)
    scene.reload(r"in force now: log-2 \(new\), ")
    scene.go_on(20000)
    scene.write(log, database)
    scene.reload(r"in force now: sqlite \(new\), log-2 \(left out\)$")
    scene.go_on(20000)
    told = scene.said("was read again")

    # 10^4 requests, while the file changes
    began = time.monotonic()
    for i in range(10000):
        if i % 1000 == 0:
            scene.write(*([log, database] + [second] * (i // 1000 % 2)))
        scene.hup()
        time.sleep(0.0001)
    took = time.monotonic() - began
    scene.write(log, database)
    eventually(lambda: scene.said("was read again") > told, "the requests are served")
    scene.reload("was read again")
    told = scene.said("was read again") - told
    check(told <= 20 + 20 * took, f"10000 requests were served {told} times in {took:.1f} s")
    scene.go_on(20000)
    eventually(lambda: len(os.listdir(f"/proc/{scene.process.pid}/fd")) <= fds, "the descriptors of those that left are closed")
    scene.end()

    scene.check_log()
    ledger = scene.ledger()
    check(ledger["log"] == [scene.delivered(), "0"], f"ledger of log: {ledger}")
    check(0 < ledger["summary"][0] < scene.total() and ledger["summary"][1:] == ["0"], f"summary: {ledger['summary']}")
    check(0 < ledger["prometheus"][0] and ledger["prometheus"][1:] == ["0"], f"prometheus: {ledger['prometheus']}")
    lost = ledger["prometheus-2"]
    # where it was refused before an event came, none was lost
    check(lost[1:] == ["0"] or (len(lost) == 4 and lost[2:] == ["not_opened", lost[1]]), f"what was never opened: {lost}")
    check(not [file for file in os.listdir(scene.segments) if file.endswith(".seg")], "a segment stays")


def changed_all_along():
    """The database is in each configuration, each time with another option: exactly once over all changes."""
    scene = Scene("changes")
    log = f"log: {{path: {scene.path('log')}, queue: 4096}}"
    scene.write(log, f"sqlite: {{path: {scene.path('db')}, queue: 4096}}")
    scene.run_collector()
    eventually(lambda: scene.said("watching"), "the collector starts")
    scene.run_worker()
    eventually(lambda: scene.log_size() > 50000, "the log begins")
    for hours in range(1, 9):
        scene.write(log, f"sqlite: {{path: {scene.path('db')}, queue: {4096 + hours}, keep: {hours}h}}")
        scene.reload(r"in force now: sqlite \(changed\)$")
    if not scene.said("this kernel has no Landlock"):
        os.mkdir(f"{work}/elsewhere")
        scene.write(log, f"sqlite: {{path: {work}/elsewhere/db}}")
        scene.reload(f"c\\.yaml: sqlite: {work}/elsewhere is beyond the sandbox.*; nothing has changed$")
        scene.write(log, f"sqlite: {{path: {scene.path('db')}, queue: 4104, keep: 8h}}", "exec: {command: cat}")
        scene.reload(r"c\.yaml: exec: cat is beyond the sandbox.*; nothing has changed$")
    scene.end()
    scene.check_log()
    scene.check_database()
    ledger = scene.ledger()
    check(ledger["log"] == ledger["sqlite"] == [scene.delivered(), "0"], f"ledger: {ledger}")


def killed():
    """kill -9 at any moment of a change; the next collector goes on."""
    scene = Scene("kills")
    reporters = [f"log: {{path: {scene.path('log')}, queue: 4096, when_behind: hold}}",
                 f"sqlite: {{path: {scene.path('db')}, queue: 4096, when_behind: hold}}"]
    scene.write(*reporters)
    scene.run_collector()
    eventually(lambda: scene.said("watching"), "the collector starts")
    scene.run_worker()
    eventually(lambda: scene.log_size() > 50000, "the log begins")
    for kill in range(12):
        options = [r.replace("hold", f"hold, {'fields' if 'log' in r.split(':')[0] else 'keep'}: "
                             f"{random.choice(['full', 'compact']) if 'log' in r.split(':')[0] else str(kill + 1) + 'h'}")
                   for r in reporters]
        options += [f"log: {{path: {scene.path('other')}}}"] * (kill % 3 > 0)  # what is log now may be log-2 then
        random.shuffle(options)
        scene.write(*options, *([f"summary: {{path: {scene.path('summary')}}}"] * (kill % 2)))
        scene.hup()
        time.sleep(random.random() * 0.05)  # any moment will do
        scene.process.kill()
        scene.process.wait()
        size = scene.log_size()
        scene.run_collector()
        eventually(lambda: scene.log_size() > size, "the next collector goes on")
    scene.end()
    scene.check_database()
    scene.check_log()


try:
    for part in [under_load, changed_all_along, killed]:
        began = time.monotonic()
        part()
        print(f"{part.__name__}: {time.monotonic() - began:.1f} s")
finally:
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(work)
