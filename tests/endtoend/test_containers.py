#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers in containers (fault 18) and a pid that comes again (fault 17), with real namespaces. usage: test_containers.py GB_COLLECTOR GB WORKER

Three containers with pid and mount namespaces of their own, the worker of each is its pid 1, and one directory of segments. They
are told apart; none is declared dead while it lives, also not by a collector that runs in a fourth container; one that is
killed is unknown, since nobody outside can know, and what it had published is delivered.
Then inside a pid namespace, where the kernel can be told which pid comes next: a worker is killed, and another one gets its pid."""
import contextlib
import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

NAMESPACES = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
CONTAINERS = 3
inside = sys.argv[1] == "--inside"
collector, gb, worker = sys.argv[-3:]
running = []


def fail(what):
    print("failed:", what)
    for name in sorted(os.listdir(work)):
        if name.startswith("err"):
            with open(f"{work}/{name}", encoding="utf-8") as lines:
                print("".join(f"  {name}: {line}" for line in lines.readlines()[-20:]))
    sys.exit(1)


def check(good, what):
    if not good:
        fail(what)


def eventually(is_so, what):
    end = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > end:
            fail("never came true: " + what)
        time.sleep(0.02)


def start(name, *command):
    environment = {**os.environ, "GEMINI_BATCH_TELEMETRY": "1", "GEMINI_BATCH_TELEMETRY_DIR": segments}
    with open(f"{work}/err.{name}", "ab") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=environment)
    running.append(process)
    return process


class Tally:
    """See tally.h; one thread."""

    def __init__(self, name):
        self.path = f"{work}/tally.{name}"
        with open(self.path, "wb") as file:
            file.truncate(8192)
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8192)

    def begun(self):
        return struct.unpack_from("Q", self.map, 0)[0]

    def returned(self):
        return struct.unpack_from("Q", self.map, 8)[0]

    def stop(self):
        struct.pack_into("I", self.map, 64 * 64 + 8, 1)


class Log:
    """What the log holds of each segment, in order."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, b""
        self.pid, self.events, self.finished, self.last = {}, {}, {}, {}

    def read(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            file.seek(self.at)
            new = file.read()
            self.at += len(new)
            *lines, self.rest = (self.rest + new).split(b"\n")
            for line in map(json.loads, lines):
                segment = line.get("segment")
                if line["event"] == "telemetry.worker":
                    self.pid[segment] = line["pid"]
                    if line["state"] == "finished":
                        self.finished[segment] = line["how"]
                elif line["event"] == "telemetry.metric":
                    check(line["metadata"]["i"] == self.events.get(segment, 0), f"{segment}: an event is missing, or another's: {line}")
                    self.events[segment] = self.events.get(segment, 0) + 1
                    self.last[segment] = line["monotonic_s"]
        return self


def states():
    out = subprocess.run([gb, "ls", "--json", "--dir", segments], stdout=subprocess.PIPE, check=False, text=True).stdout
    rows = map(json.loads, out.splitlines())
    return {row["segment"]: row["state"] for row in rows if "state" in row}


def go_on(log, ids, seconds):
    """Until each of them has delivered what it emitted so much later, and nobody has said that it ended."""
    begin = {one: log.read().last[one] for one in ids}
    eventually(lambda: all(log.read().last[one] > begin[one] + seconds for one in ids), "they go on")
    check(not set(ids) & set(log.finished), f"declared dead while alive: {log.finished}")


def containers():
    log = Log(f"{work}/log")
    watcher = [collector, "--quiet", "--dir", segments, "--reporter", f"log:path={log.path}"]
    first = start("collector", *watcher)
    tallies, workers = [], []
    for i in range(CONTAINERS):
        tallies.append(Tally(i))
        workers.append(start(f"worker{i}", *NAMESPACES, worker, tallies[i].path, "1", "0", "5", "2000"))
        eventually(lambda: len(log.read().events) == i + 1, "a container's events") # in the order of their starts
    ids = list(log.events)
    check([log.pid[one] for one in ids] == [1] * CONTAINERS, f"each is pid 1 of its own: {log.pid}")
    go_on(log, ids, 3)
    check(states() == dict.fromkeys(ids, "alive"), f"alive in the list: {states()}")

    workers[0].kill() # and with it, its pid 1
    workers[0].wait()
    eventually(lambda: states().get(ids[0]) == "unknown", "the killed one is unknown")
    eventually(lambda: log.read().events[ids[0]] >= tallies[0].returned(), "what it had published")
    check(log.events[ids[0]] <= tallies[0].begun(), "not more than that")
    go_on(log, ids[1:], 3)
    check(states() == {ids[0]: "unknown", **dict.fromkeys(ids[1:], "alive")}, f"the others in the list: {states()}")
    check(ids[0] not in log.finished, "nobody can know that it is dead")

    first.terminate()
    check(first.wait() == 0, "the collector ends")
    second = start("collector2", *NAMESPACES, *watcher)
    go_on(log, ids[1:], 3)
    for i in (1, 2):
        tallies[i].stop()
        workers[i].wait()
        eventually(lambda: log.read().events[ids[i]] == tallies[i].returned(), "all of it, to a collector in a container")
    # that of the first one may go: when the number of its namespace has come again, that namespace, and so the worker, has gone
    check(set(os.listdir(segments)) >= {f"gb-{one}.seg" for one in ids[1:]}, "what is unknown stays")
    second.kill()
    second.wait()
    print(f"{CONTAINERS} containers, {sum(log.events.values())} events")


def same_pid():
    """In a pid namespace with its own /proc."""
    log = Log(f"{work}/log")
    watcher = start("collector", collector, "--quiet", "--dir", segments, "--reporter", f"log:path={log.path}")
    tallies = [Tally("first"), Tally("second")]
    old = start("old", worker, tallies[0].path, "1", "0", "5", "2000")
    eventually(lambda: log.read().events, "its events")
    watcher.send_signal(signal.SIGSTOP)
    old.kill()
    old.wait()
    for _ in range(50):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
            file.write(str(old.pid - 1))
        new = start("new", worker, tallies[1].path, "1", "0", "5", "2000")
        if new.pid == old.pid:
            break
        new.kill()
        new.wait()
    check(new.pid == old.pid, "the pid came again")
    eventually(tallies[1].returned, "the new one emits")
    watcher.send_signal(signal.SIGCONT)
    first = next(iter(log.events))
    eventually(lambda: log.read().finished.get(first), "the old one is dead")
    check(log.finished[first] == "vanished", f"another process, and not another program: {log.finished}")
    eventually(lambda: len(log.read().events) >= 2, "the new one's events")
    second = [one for one in log.events if one != first and log.pid[one] == new.pid and one not in log.finished]
    check(len(second) == 1 and log.pid[first] == new.pid, f"two workers of one pid: {log.pid} {log.finished}")
    check(tallies[0].returned() <= log.events[first] <= tallies[0].begun(), "the old one's events are its own")
    go_on(log, second, 3)
    tallies[1].stop()
    new.wait()
    eventually(lambda: log.read().finished.get(second[0]) == "exit", "then the new one ends")
    check(log.events[second[0]] == tallies[1].returned(), "with all of its events")
    print(f"pid {new.pid} twice, {sum(log.events.values())} events")


work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
segments = f"{work}/segments"
status = 0
try:
    if inside:
        same_pid()
    elif subprocess.run([*NAMESPACES, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        print("SKIP: no namespaces can be made here")
        status = 77
    else:
        containers()
        status = subprocess.run([*NAMESPACES, sys.executable, __file__, "--inside", collector, gb, worker], check=False).returncode
finally:
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    shutil.rmtree(work)
sys.exit(status)
