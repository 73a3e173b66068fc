#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""check_prometheus.py COLLECTOR WORKER: what `prometheus` serves, against what `log` wrote of the same events.

Real workers emit, one of them is killed. Then: promtool and the strict OpenMetrics parser read /metrics; two real Prometheus servers
scrape it, one by text, one by protobuf with native histograms; and what their APIs answer - counts, sums, gauges, labels,
quantiles - is compared with what is worked out from the log. Skipped (77) where a counterpart is missing."""

import collections, json, math, os, re, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.parse, urllib.request

DEADLINE = 120
BUCKET = 2 ** (1 / 32)  # the width of a native bucket


def skip(what):
    print(f"{what} is missing: skipped")
    sys.exit(77)


def fetch(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read(), answer.headers


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
        except (OSError, KeyError, ValueError, IndexError, TypeError, StopIteration):
            pass
        time.sleep(0.1)
    sys.exit(f"FAILED: no {what} within {DEADLINE} s")


failures = []


def check(what, found, expected):
    same = found == expected
    if isinstance(found, float) and isinstance(expected, (int, float)):
        same = math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    if not same:
        failures.append(what)
        print(f"FAILED: {what}: {found!r}, not {expected!r}")


# ---- what the log says ----

def clean(text):
    return re.sub("[\x00-\x1f\x7f-\x9f]", "\ufffd", text)


def labels_of(line, scope, tenant=True):
    labels = {"scope": scope or "", "service": line["service"]}
    metadata = line["metadata"]
    if "tenant" in metadata:
        labels["tenant"] = clean(metadata["tenant"])
    if "service" in metadata:
        labels["attr_service"] = str(metadata["service"])
    return tuple(sorted((k, v) for k, v in labels.items() if v))


class Expected:
    def __init__(self, path):
        self.timings = collections.defaultdict(list)  # labels -> ns
        self.unfinished = collections.Counter()
        self.counters, self.samples = collections.defaultdict(list), collections.defaultdict(list)
        self.gauges = {}  # (name, labels) -> (time, value)
        self.events = self.bad = 0
        for text in open(path, encoding="utf-8"):
            line = json.loads(text, parse_float=str)
            if line["event"] == "telemetry.timing":
                self.timing(line)
            elif line["event"] == "telemetry.metric":
                self.metric(line)

    def timing(self, line):
        self.events += not line.get("unfinished") or line.get("cause") == "abandoned"
        labels = labels_of(line, line["scope"])
        if line.get("unfinished"):
            self.unfinished[labels] += 1
        else:
            self.timings[labels].append(int(line["duration_s"].replace(".", "")))

    def metric(self, line):
        self.events += 1
        parent = line["parent_scope"]
        name = re.sub("[^a-zA-Z0-9_]", "_", line["scope"][len(parent) + 1:] if parent else line["scope"])
        labels, value = labels_of(line, parent), float(line["value"])
        kind = line.get("metric_type")
        if kind == "counter":
            self.counters["app_" + re.sub("_total$", "", name) + "_total", labels].append(value)
        elif kind == "gauge":
            name = "app_both_gauge" if name == "both" else "app_" + name
            key, moment = (name, labels), float(line["wall_time_s"])
            if key not in self.gauges or moment >= self.gauges[key][0]:
                self.gauges[key] = (moment, value)
        elif math.isfinite(value):
            self.samples["app_" + name, labels].append(value)
        else:
            self.bad += 1


# ---- what is served ----

def families_of(text, openmetrics):
    if openmetrics:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
    else:
        from prometheus_client.parser import text_string_to_metric_families as parse
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in parse(text) for s in f.samples}


def check_samples(what, samples, expected):
    def get(name, labels, **more):
        return samples.get((name, tuple(sorted(dict(labels, **more).items()))))

    def histogram(name, labels, values, bounds):
        check(f"{what} {name}_count {labels}", get(name + "_count", labels), len(values))
        check(f"{what} {name}_sum {labels}", get(name + "_sum", labels), math.fsum(values))
        for bound in bounds:
            check(f"{what} {name}_bucket {labels} {bound}", get(name + "_bucket", labels, le=bound),
                  sum(v <= float(bound) for v in values))

    for labels, ns in expected.timings.items():
        histogram("gb_scope_duration_seconds", labels, [n / 1e9 for n in ns],
                  ["1e-06", "2.5e-06", "0.0001", "0.00025", "1.0", "100.0", "+Inf"])
    for (name, labels), values in expected.samples.items():
        histogram(name, labels, values, ["1e-06", "1e-05", "1.0", "1000.0", "1e+09", "+Inf"])
    for labels, count in expected.unfinished.items():
        check(f"{what} unfinished {labels}", get("gb_scope_unfinished_total", labels), count)
    for (name, labels), values in expected.counters.items():
        check(f"{what} {name} {labels}", get(name, labels), math.fsum(values))
    for (name, labels), (_, value) in expected.gauges.items():
        check(f"{what} {name} {labels}", get(name, labels), value)
    told = sum(n.startswith("app_") and not n.endswith(("_bucket", "_sum", "_count")) for n, _ in samples)
    check(f"{what}: no other counters and gauges", told, len(expected.counters) + len(expected.gauges))


def check_promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    # the suffix of a name that another type has already is meant so
    complaints = [c for c in done.stderr.decode().splitlines() if c and not c.startswith("app_both_gauge ")]
    check("promtool", (done.returncode in (0, 3), complaints), (True, []))


# ---- real servers ----

class Prometheus:
    def __init__(self, work, name, target, *flags):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % probe.getsockname()[1]
        self.name = name
        config = f"{work}/{name}.yml"
        with open(config, "w") as out:
            out.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                      f"  - job_name: gb\n    static_configs: [{{targets: ['{target}']}}]\n")
        self.log = open(f"{work}/{name}.log", "w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={work}/{name}",
             f"--web.listen-address={self.address}", *flags], stdout=self.log, stderr=self.log)

    def query(self, text):
        found = json.loads(fetch(f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": text}))[0])
        samples = {}
        for one in found["data"]["result"]:
            labels = {k: v for k, v in one["metric"].items() if k not in ("job", "instance")}
            samples[labels.pop("__name__", ""), tuple(sorted(labels.items()))] = float(one["value"][1])
        return samples

    def one(self, text):
        return next(iter(self.query(text).values()))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def quantile(values, q):
    return sorted(values)[max(1, math.ceil(q * len(values))) - 1]


def within(what, found, exact, factor):
    if not (exact / factor <= found <= exact * factor):
        failures.append(what)
        print(f"FAILED: {what}: {found!r} is not within {factor:.4f} of {exact!r}")


def check_classic_server(server, expected, bounds):
    samples = server.query('{job="gb"}')
    check_samples("text server", samples, expected)
    for q in (0.5, 0.9, 0.99):
        found = server.query(f"histogram_quantile({q}, gb_scope_duration_seconds_bucket)")
        for labels, ns in expected.timings.items():
            exact = quantile(ns, q) / 1e9
            upper = next(b for b in bounds if exact <= b)
            lower = max([0] + [b for b in bounds if b < exact])
            value = found["", labels]
            if not lower <= value <= upper:
                failures.append("classic quantile")
                print(f"FAILED: text server: quantile {q} of {labels}: {value} is not in ({lower}, {upper}]")


def check_native_server(server, expected, envelope):
    compared = 0
    counts, sums = (server.query(f"histogram_{f}(gb_scope_duration_seconds)") for f in ("count", "sum"))
    for labels, ns in expected.timings.items():
        check(f"native count {labels}", counts.get(("", labels)), len(ns))
        check(f"native sum {labels}", sums.get(("", labels)), sum(ns) / 1e9)
    check("native series", len(counts), len(expected.timings))
    for name, labels in expected.samples:
        check(f"native {name} {labels}", server.query(f"histogram_count({name})").get(("", labels)),
              len(expected.samples[name, labels]))
    for q in (0.5, 0.9, 0.99):
        found = server.query(f"histogram_quantile({q}, gb_scope_duration_seconds)")
        for labels, ns in expected.timings.items():
            within(f"native quantile {q} of {labels}", found["", labels], quantile(ns, q) / 1e9, BUCKET * 1.000001)
            compared += 1
        merged = server.query(f"histogram_quantile({q}, sum by (scope) (gb_scope_duration_seconds))")
        for (_, labels), value in merged.items():
            scope = dict(labels)["scope"]
            told = envelope[scope][f"p{round(q * 100)}_s"]
            within(f"native quantile {q} of {scope} against summary", value, told, BUCKET * 1.011)
            compared += 1
    totals = server.query('{__name__=~"app_.*_total"}')
    for (name, labels), values in expected.counters.items():
        check(f"native server {name} {labels}", totals.get((name, labels)), math.fsum(values))
    return compared


# ---- the run ----

def main():
    collector_path, worker_path = sys.argv[1:3]
    for tool in ("prometheus", "promtool"):
        if not shutil.which(tool):
            skip(tool)
    try:
        import prometheus_client.openmetrics.parser  # noqa: F401
    except ImportError:
        skip("python3-prometheus-client")
    work = tempfile.mkdtemp(prefix="gb-test-prometheus-")
    segments = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
    running = []
    try:
        run(collector_path, worker_path, work, segments, running)
    finally:
        for server in running:
            server.stop()
        shutil.rmtree(segments)
        shutil.rmtree(work)
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


class Collector:
    def __init__(self, path, work, segments, running):
        running.append(self)
        self.err = open(f"{work}/collector.err", "w+")
        self.process = subprocess.Popen(
            [path, "--dir", segments, "-r", "prometheus:listen=127.0.0.1:0,labels=tenant;service", "-r",
             f"log:path={work}/log.jsonl", "-r", f"summary:format=json,path={work}/envelope.json,interval=1s"],
            stderr=self.err)
        self.target = wait_for("address", self.find_target)
        wait_for("/readyz", lambda: fetch(f"http://{self.target}/readyz"))

    def find_target(self):
        self.err.seek(0)
        return re.search(r"http://([0-9.:]+)/metrics", self.err.read())[1]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.err.close()


def run(collector_path, worker_path, work, segments, running):
    collector = Collector(collector_path, work, segments, running)
    url = f"http://{collector.target}/metrics"
    text_server = Prometheus(work, "text", collector.target)
    running.append(text_server)
    native_server = Prometheus(work, "native", collector.target, "--enable-feature=native-histograms")
    running.append(native_server)

    environment = dict(os.environ, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=segments)
    for arguments, service in ([], "one"), ([], "two"), (["die"], "two"):
        environment["GEMINI_BATCH_TELEMETRY_SERVICE"] = service
        status = subprocess.run([worker_path, *arguments], env=environment).returncode
        check("worker's status", status, -signal.SIGKILL if arguments else 0)

    def settled():
        samples = families_of(fetch(url)[0].decode(), False)
        ended = sum(v for (n, _), v in samples.items() if n == "gb_collector_workers_finished_total")
        return samples if ended == 3 and samples["gb_collector_workers", ()] == 0 else None
    samples = wait_for("end of the workers", settled)
    logged = ("gb_collector_reporter_events_delivered_total", (("reporter", "log"),))
    wait_for("end of the log", lambda: families_of(fetch(url)[0].decode(), False)[logged] ==
             samples["gb_collector_events_delivered_total", ()])

    expected = Expected(f"{work}/log.jsonl")
    own = families_of(fetch(url)[0].decode(), False)
    check("events", own["gb_collector_events_delivered_total", ()], expected.events)
    check("handed", own["gb_collector_reporter_events_handed_total", (("reporter", "prometheus"),)], expected.events)
    check("delivered", own["gb_collector_reporter_events_delivered_total", (("reporter", "prometheus"),)],
          expected.events - expected.bad)
    check("bad values", own["gb_collector_reporter_events_dropped_total",
                            (("cause", "bad_value"), ("reporter", "prometheus"))], expected.bad)
    if not expected.bad or not expected.unfinished:
        failures.append("the worker emits what is hard")

    text, headers = fetch(url, Accept="text/plain")
    check("content type", headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
    check_promtool(text)
    check_samples("text", families_of(text.decode(), False), expected)
    text, headers = fetch(url, Accept="application/openmetrics-text;version=1.0.0")
    check("content type", headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
    check_samples("OpenMetrics", families_of(text.decode(), True), expected)

    for server in text_server, native_server:
        wait_for(f"scrape by the {server.name} server",
                 lambda: server.one("gb_collector_events_delivered_total") == expected.events and
                 server.one('sum(gb_collector_workers_finished_total)') == 3)
        check(f"{server.name} server: scrapes succeed", server.one('up{job="gb"}'), 1.0)
    wait_for("scrape in each format", lambda: len(
        [v for v in text_server.query("gb_collector_scrapes_total").values() if v > 0]) == 3)
    bounds = sorted(float(dict(l)["le"]) for n, l in families_of(fetch(url)[0].decode(), False)
                    if n == "gb_scope_duration_seconds_bucket" and dict(l)["scope"] == "last")
    check_classic_server(text_server, expected, bounds)

    def envelope():
        durations = json.load(open(f"{work}/envelope.json"))["all"]["metrics"]["durations"]
        return durations if sum(d["calls"] for d in durations.values()) == \
            sum(len(ns) for ns in expected.timings.values()) else None
    compared = check_native_server(native_server, expected, wait_for("envelope", envelope))
    print(f"{expected.events} events, {len(expected.timings)} histograms, {compared} native quantiles compared")


main()
