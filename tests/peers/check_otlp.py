#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_otlp.py GB WORKER HARD_WORKER: what `otlp` sends, against what `log` wrote of the same events.

A real receiver (mockotlpserver) takes metrics and spans of the demo's workers, cumulative and as deltas, and of a worker that dies in
the middle of odd names and values. Counts, sums, every bucket, gauges, identities and times of spans are compared with the log. Then
protoc reads recorded requests by the protocol's own definitions: nothing in them may be unknown to it. Where a counterpart is
missing: skipped (77), or failed when GB_PEERS=required."""

import collections, http.server, json, math, os, re, shutil, subprocess, sys, tempfile, threading, time

GB, WORKER, HARD_WORKER = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(HERE, "node_modules/@elastic/mockotlpserver")
DEADLINE = 60
failures = []


def skip(what):
    required = os.environ.get("GB_PEERS") == "required"
    print(f"{what} is missing: {'failed' if required else 'skipped'}")
    sys.exit(1 if required else 77)


for program in ("node", "protoc"):
    if not shutil.which(program):
        skip(program)
if not os.path.isdir(PACKAGE):
    skip("mockotlpserver (npm ci in tests/peers)")


def check(what, found, expected):
    same = found == expected
    if isinstance(found, float) and isinstance(expected, (int, float)):
        same = math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    if not same:
        failures.append(what)
        print(f"FAILED: {what}: {str(found)[:300]}, not {str(expected)[:300]}")


class Receiver:
    def __init__(self):
        self.process = subprocess.Popen(["node", os.path.join(HERE, "otlp_receiver.js")], stdout=subprocess.PIPE)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.requests = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.requests.append(json.loads(line))

    def close(self):
        self.process.terminate()
        self.process.wait()


def bucket(value):
    """Index at scale 5; the second one if the value is so near to a bound that rounding decides."""
    exact = math.log2(value) * 32
    return {math.ceil(exact - 1e-9) - 1, math.ceil(exact + 1e-9) - 1}


def read_log(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def metrics_of(requests, delta):
    """By instance, name and scope: the last point, or the sum of all."""
    found, last_time = {}, {}
    for request in requests:
        for resource in request.get("resourceMetrics", []):
            attributes = resource["resource"]["attributes"]
            if attributes["service.name"] == "gb-collector":
                continue
            for metric in resource["scopeMetrics"][0]["metrics"]:
                kind = next(k for k in ("sum", "gauge", "exponentialHistogram") if k in metric)
                data = metric[kind]
                if kind != "gauge":
                    check("temporality of " + metric["name"], data["aggregationTemporality"],
                          1 if delta else 2)
                for point in data["dataPoints"]:
                    key = (attributes["service.instance.id"], metric["name"], point["attributes"].get("gb.scope"))
                    value = number_of(point) if kind != "exponentialHistogram" else histogram_of(point)
                    if kind != "gauge":
                        start, time = int(point["startTimeUnixNano"]), int(point["timeUnixNano"])
                        check("a window has a length", start <= time, True)
                        check("windows of deltas do not overlap", not delta or start >= last_time.get(key, 0), True)
                        last_time[key] = time
                    if delta and kind == "sum":
                        value += found.get(key, 0)
                    if delta and kind == "exponentialHistogram" and key in found:
                        value = tuple(a + b for a, b in zip(value, found[key]))
                    found[key] = value
    return found


def number_of(point):
    return int(point["asInt"]) if "asInt" in point else float(point["asDouble"])


def histogram_of(point):
    buckets = collections.Counter()
    for sign, side in ((1, "positive"), (-1, "negative")):
        for i, count in enumerate(point.get(side, {}).get("bucketCounts", [])):
            if int(count):
                buckets[sign, int(point[side].get("offset", 0)) + i] += int(count)
    check("scale", point["scale"], 5)
    check("count is the sum of the buckets", int(point["count"]), sum(buckets.values()) + int(point["zeroCount"]))
    return int(point["count"]), point.get("sum", 0.0), buckets


def compare_metrics(name, log, found):
    durations, sums, gauges, samples = (collections.defaultdict(list) for _ in range(4))
    for line in log:
        if line["event"] == "telemetry.timing":
            if line.get("unfinished"):
                sums[line["segment"], "gb.scope.unfinished", line["scope"]].append(1)
            else:
                durations[line["segment"], "gb.scope.duration", line["scope"]].append(line["duration_s"])
        elif line["event"] == "telemetry.metric":
            parent = line["parent_scope"]
            own = line["scope"][len(parent) + 1:] if parent else line["scope"]
            kind = {"counter": sums, "gauge": gauges}.get(line.get("metric_type"), samples)
            kind[line["segment"], own, parent].append(line["value"])
    for key, values in durations.items():
        count, total, buckets = found.pop(key)
        check(f"{name}: count of {key}", count, len(values))
        check(f"{name}: sum of {key}", total, sum(values))
        expected, doubtful = collections.Counter(), 0
        for value in values:
            where = bucket(value) if value > 0 else {None}
            doubtful += len(where) > 1
            expected[1, max(where)] += value > 0
        different = sum((expected - buckets).values())
        check(f"{name}: buckets of {key}", different <= doubtful, True)
    for key, values in sums.items():
        check(f"{name}: sum of {key}", found.pop(key, None), sum(values))
    print(f"{name}: {len(durations)} histograms, {len(sums)} sums, {len(gauges)} gauges, {len(samples)} samples")
    return gauges, samples


def compare_gauges(name, log, gauges, found):
    latest = {}
    for line in log:
        if line["event"] == "telemetry.metric" and line.get("metric_type") == "gauge":
            key = (line["segment"], line["scope"])
            latest.setdefault(key, []).append((line["wall_time_s"], line["value"]))
    for key, values in gauges.items():
        scope = f"{key[2]}.{key[1]}" if key[2] else key[1]
        told = latest[key[0], scope]
        newest = max(time for time, _ in told)
        # the log's wall times are doubles, to about 240 ns: threads can set a gauge within that
        check(f"{name}: gauge {key}", found.pop(key) in [value for time, value in told if newest - time < 1e-6], True)


def compare_spans(name, log, requests):
    expected, found, spans = collections.Counter(), collections.Counter(), {}
    for line in log:
        if line["event"] == "telemetry.timing":
            expected[line["segment"], line["tid"], line["thread"], line["scope"], round(line["duration_s"] * 1e9),
                     bool(line.get("unfinished"))] += 1
    resources = set()
    for request in requests:
        for resource in request.get("resourceSpans", []):
            attributes = resource["resource"]["attributes"]
            resources.add(attributes["service.instance.id"])
            for span in resource["scopeSpans"][0]["spans"]:
                own = span["attributes"]
                found[attributes["service.instance.id"], own["thread.id"], own["thread.name"], own["gb.scope"],
                      int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]),
                      own.get("gb.unfinished", False)] += 1
                key = (span["traceId"], span["spanId"])
                check("a span's id is its own", key in spans, False)
                check("length of ids", (len(span["traceId"]), len(span["spanId"])), (32, 16))
                error = span.get("status", {}).get("code") == "STATUS_CODE_ERROR"
                check("status", error, bool(own.get("gb.unfinished") or "error" in own))
                spans[key] = span
    check(f"{name}: spans", found, expected)
    orphans = 0
    for (trace, _), span in spans.items():
        parent = span.get("parentSpanId")
        scope, own = span["attributes"]["gb.scope"], span["name"]
        if not parent:
            check(f"{name}: a root's scope", scope, own)
            continue
        around = spans.get((trace, parent))
        if around is None:
            orphans += 1
            continue
        check(f"{name}: the parent's scope", around["attributes"]["gb.scope"] + "." + own, scope)
        # to the µs: the two may have been converted by different samples of the clocks, which differ by some ns
        early = int(around["startTimeUnixNano"]) - int(span["startTimeUnixNano"])
        check(f"{name}: the parent is around it", early <= 1000, True)
    check(f"{name}: spans without their parent", orphans, 0)
    print(f"{name}: {len(spans)} spans, {len({trace for trace, _ in spans})} traces")


def run(directory, spec, *command, status=0):
    log = os.path.join(directory, "log.jsonl")
    if os.path.exists(log):
        os.unlink(log)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "GEMINI_BATCH_"))}
    result = subprocess.run([GB, "run", "-o", os.path.join(directory, "report"), "--reporter", spec, "--reporter",
                             f"log:path={log}", "--", *command], stdout=subprocess.DEVNULL, timeout=DEADLINE,
                            env={**environment, "TMPDIR": directory})
    check("exit status of " + command[0], result.returncode, status)
    return read_log(log)


def against_receiver(directory, name, options, *command, delta=False, status=0, exact=True):
    receiver = Receiver()
    try:
        log = run(directory, f"otlp:endpoint={receiver.url},signals=metrics+traces,{options}", *command, status=status)
        # it answers before it has read: wait for the metrics of the last worker
        end = time.monotonic() + DEADLINE
        timings = sum(line["event"] == "telemetry.timing" for line in log)
        count = lambda: sum(len(resource["scopeSpans"][0]["spans"]) for request in list(receiver.requests)
                            for resource in request.get("resourceSpans", []))
        while count() < timings and time.monotonic() < end:
            time.sleep(0.05)
        stable = -1
        while stable != len(receiver.requests):
            stable = len(receiver.requests)
            time.sleep(0.3)
        compare_spans(name, log, receiver.requests)
        found = metrics_of(receiver.requests, delta)
        if exact:
            gauges, samples = compare_metrics(name, log, found)
            compare_gauges(name, log, gauges, found)
            check(f"{name}: nothing else", list(found), [])
        return receiver.requests
    finally:
        receiver.close()


def record_requests(directory):
    """Bodies of requests as they were sent."""
    bodies = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            bodies.setdefault(self.path, []).append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    run(directory, f"otlp:endpoint=http://127.0.0.1:{server.server_port},signals=metrics+traces", HARD_WORKER, "die",
        status=128 + 9)
    server.shutdown()
    return bodies


def by_protoc(directory):
    for path, bodies in record_requests(directory).items():
        signal = path.rsplit("/", 1)[1]
        kind = {"metrics": "ExportMetricsServiceRequest", "traces": "ExportTraceServiceRequest"}[signal]
        file = {"metrics": "metrics", "traces": "trace"}[signal]
        for body in bodies:
            result = subprocess.run(
                ["protoc", f"--decode=opentelemetry.proto.collector.{file}.v1.{kind}", f"--proto_path={PACKAGE}",
                 f"opentelemetry/proto/collector/{file}/v1/{file}_service.proto"], input=body, capture_output=True)
            check(f"protoc reads {signal}", (result.returncode, result.stderr.decode()), (0, ""))
            text = result.stdout.decode()
            check(f"unknown fields of {signal}", re.findall(r"^\s*\d+(?::| \{).*", text, re.M), [])
            print(f"protoc: {signal}: {len(body)} bytes, {text.count(chr(10))} lines")


with tempfile.TemporaryDirectory() as directory:
    demo = (WORKER, "--limit", "500")
    against_receiver(directory, "cumulative", "interval=100ms", *demo)
    against_receiver(directory, "delta", "interval=20ms,temporality=delta", *demo, delta=True)
    against_receiver(directory, "hard", "interval=100ms", HARD_WORKER, "die", status=128 + 9, exact=False)
    by_protoc(directory)
print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
