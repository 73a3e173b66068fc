#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The canary (fault 37): a worker's secret is looked for in all that leaves it. usage: test_canary.py GB_COLLECTOR GB CANARY_WORKER

The worker gives its secret as attributes of every kind whose keys name secrets, one of them by the user's own word, and has it in
argv and environment; another secret stands in the collector's configuration. Looked at: the segment while the worker lives, the
outputs of all reporters, stdout and stderr of all programs, `gb ls`, `gb config`, what else lies in the directories, and the
core of a collector without its sandbox. A word that is no secret must be found in the same places, or the search would prove
nothing. With the sandbox there is no core."""
import contextlib
import gzip
import http.server
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

collector, gb, worker = map(os.path.abspath, sys.argv[1:])
SECRET, OTHER, MARKER = "C4naryOfTheWorker", "C4naryOfTheConfiguration", b"VISIBLE"
CANARIES = (SECRET.encode(), OTHER.encode())
work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
running = []
searched = 0


def fail(what):
    print("failed:", what)
    for name in ("err", "err.worker"):
        with contextlib.suppress(FileNotFoundError):
            print(pathlib.Path(work, name).read_text(encoding="utf-8", errors="replace"))
    sys.exit(1)


def eventually(is_so, what):
    end = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > end:
            fail("never came true: " + what)
        time.sleep(0.02)


def search(where, data, marker):
    global searched
    searched += 1
    for canary in CANARIES:
        if canary in data:
            at = data.index(canary)
            fail(f"{where} has the canary: {data[max(0, at - 60) : at + 60]!r}")
    if marker and MARKER not in data:
        fail(f"{where} has not even the word that is no secret: {data[:200]!r}")


def read(name):
    with open(f"{work}/{name}", "rb") as file:
        return file.read()


class Otlp(http.server.BaseHTTPRequestHandler):
    bodies, headers_seen = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Otlp.bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        Otlp.headers_seen.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass


def receive(receiver, into):
    with contextlib.suppress(OSError):
        while True:
            into.append(receiver.recv(65536))


web = http.server.HTTPServer(("127.0.0.1", 0), Otlp)
threading.Thread(target=web.serve_forever, daemon=True).start()
statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
statsd.bind(("127.0.0.1", 0))
syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
syslog.bind(f"{work}/syslog.socket")
datagrams, lines = [], []
threading.Thread(target=receive, args=(statsd, datagrams), daemon=True).start()
threading.Thread(target=receive, args=(syslog, lines), daemon=True).start()

LABELS = "marker;api_key;token;Authorization"
CONFIGURATION = f"""directory: {work}/segments
reporters:
  - log: {{path: {work}/log.json}}
  - log: {{path: {work}/log.logfmt, format: logfmt}}
  - log: {{path: "syslog:{work}/syslog.socket"}}
  - summary: {{path: {work}/summary.txt}}
  - summary: {{path: {work}/summary.json, format: json}}
  - prometheus: {{listen: 127.0.0.1:0, labels: "{LABELS}"}}
  - otlp: {{endpoint: "http://127.0.0.1:{web.server_port}", signals: metrics+traces, interval: 200ms, labels: "{LABELS}",
           headers: "Authorization=Bearer ${{WORD}}"}}
  - otlp: {{endpoint: "http://user:${{WORD}}@127.0.0.1:1", interval: 200ms}}
  - statsd: {{address: "127.0.0.1:{statsd.getsockname()[1]}", flavour: datadog, interval: 200ms, labels: "{LABELS.replace(";", " ")}"}}
  - sqlite: {{path: {work}/events.db}}
  - trace: {{path: {work}/trace.json}}
  - exec: {{command: "cat >{work}/exec.json"}}
"""


def start(name, command, **options):
    with open(f"{work}/out{name}", "ab") as out, open(f"{work}/err{name}", "ab") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **options)
    running.append(process)
    return process


def with_cores():
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with open("/proc/self/coredump_filter", "w", encoding="ascii") as file:
        file.write("0x3f")  # all mappings, those of segments as well


def start_collector(name, *options):
    os.mkdir(f"{work}/{name}")
    return start("", [collector, "--config", f"{work}/gb.yaml", *options], env={**os.environ, "WORD": OTHER}, cwd=f"{work}/{name}",
                 preexec_fn=with_cores)


def start_worker():
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{work}/end")
    return start(".worker", [worker, SECRET, f"{work}/end"],
                 env={**os.environ, "GEMINI_BATCH_TELEMETRY": "1", "GEMINI_BATCH_TELEMETRY_DIR": f"{work}/segments", "SOME": SECRET,
                      "GEMINI_BATCH_TELEMETRY_SECRETS": "my_own_word"})


def run(*command):
    result = subprocess.run(command, capture_output=True, env={**os.environ, "WORD": OTHER}, check=False, timeout=60)
    search(" ".join(command), result.stdout + result.stderr, False)
    return result.stdout


def scrape(address, accept):
    """Empty until the reporter has what it shows."""
    with contextlib.suppress(urllib.error.HTTPError):
        with urllib.request.urlopen(urllib.request.Request(address.decode(), headers={"Accept": accept})) as answer:
            return answer.read()
    return b""


def in_log(text):
    with contextlib.suppress(FileNotFoundError):
        return text in read("log.json")
    return False


def outputs():
    # a collector at work; the worker lives until its segment was looked at
    watcher = start_collector("sandboxed")
    at_work = start_worker()
    eventually(lambda: in_log(b'"scope":"detached"'), "events in the log")
    segments = [f"segments/{name}" for name in os.listdir(f"{work}/segments") if name.endswith(".seg")]
    if len(segments) != 1:
        fail(f"one segment is expected: {segments}")
    search("the segment", read(segments[0]), True)
    for command in (["ls"], ["ls", "--json"], ["config", "--config", f"{work}/gb.yaml"],
                    ["config", "--json", "--config", f"{work}/gb.yaml"]):
        run(gb, *command, *(["--dir", f"{work}/segments"] if command[0] == "ls" else []))
    address = next(word for word in read("err").split() if word.startswith(b"http://127.0.0.1:") and word.endswith(b"/metrics"))
    eventually(lambda: MARKER in scrape(address, "text/plain"), "series")
    for accept in ("text/plain", "application/openmetrics-text", "application/vnd.google.protobuf"):
        search(f"prometheus, {accept}", scrape(address, accept), True)
    eventually(lambda: any(MARKER in body for body in Otlp.bodies), "a request of OTLP")
    open(f"{work}/end", "w", encoding="ascii").close()
    at_work.wait()
    eventually(lambda: in_log(b'"state":"finished"'), "the worker's end")
    watcher.terminate()
    if watcher.wait() != 0:
        fail("the collector ends")
    with_marker = ["log.json", "log.logfmt", "events.db", "trace.json", "exec.json"]
    for name in sorted(os.listdir(work)):
        if os.path.isfile(f"{work}/{name}") and name != "gb.yaml":
            search(name, read(name), name in with_marker)
    for name in with_marker:
        if not os.path.exists(f"{work}/{name}"):
            fail(f"there is no {name}")
    if b"[redacted]" not in read("log.json") or b'"unfinished":true' not in read("log.json"):
        fail("redacted, and unfinished scopes")
    search("OTLP", b"".join(Otlp.bodies), True)
    search("StatsD", b"".join(datagrams), True)
    search("syslog", b"".join(lines), True)
    if f"Bearer {OTHER}" not in Otlp.headers_seen:
        fail(f"the secret of the configuration is used: {Otlp.headers_seen[:1]}")


def cores():
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read().strip()
    if "/" in pattern or pattern.startswith("|"):
        print(f"cores go elsewhere here ({pattern}): not looked at")
        return
    for name, options in (("again", []), ("bare", ["--no-sandbox"])):
        for file in ("log.json", "events.db"):
            os.unlink(f"{work}/{file}")
        watcher = start_collector(name, *options)
        at_work = start_worker()
        eventually(lambda: in_log(b'"scope":"detached"'), "events in the log")
        watcher.send_signal(signal.SIGABRT)
        watcher.wait()
        open(f"{work}/end", "w", encoding="ascii").close()
        at_work.wait()
        found = os.listdir(f"{work}/{name}")
        if options:
            if len(found) != 1 or not found[0].startswith("core"):
                fail(f"a core without the sandbox: {found}")
            data = read(f"{name}/{found[0]}").replace(OTHER.encode(), b"") # which it needs, to send it
            search("the core", data, True)
        elif found:
            fail(f"a core in spite of the sandbox: {found}")


try:
    pathlib.Path(work, "gb.yaml").write_text(CONFIGURATION, encoding="utf-8")
    outputs()
    cores()
    print(f"{searched} places searched")
finally:
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    shutil.rmtree(work)
