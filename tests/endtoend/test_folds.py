#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_folds.py COLLECTOR WORKER [ROUNDS]: rings that are far too small, and totals that are exact all the same.

First a worker alone: it emits a million events into 16 KiB, while no collector runs; then one comes, and what summary, prometheus,
statsd and sqlite say is the worker's own count and sum. Then workers and collectors are killed at random, and each event is
in the database once, single or folded."""

import json, math, os, random, re, shutil, signal, socket, sqlite3, struct, subprocess, sys, tempfile, time, urllib.request

COLLECTOR, WORKER = sys.argv[1], sys.argv[2]
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 200000
PATIENCE = 60
segments = tempfile.mkdtemp(prefix="gb-folds-", dir="/dev/shm")
output = tempfile.mkdtemp(prefix="gb-folds-")
running = []
environment = dict(os.environ, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_DIR=segments,
                   GEMINI_BATCH_TELEMETRY_RING_BYTES="16K", GEMINI_BATCH_TELEMETRY_OVERFLOW="fold")


def check(what, is_, should):
    if is_ != should:
        raise SystemExit(f"test_folds: {what}: {is_!r}, and should be {should!r}")


def near(what, is_, should, share=0.0109):
    if not math.isclose(is_, should, rel_tol=share):
        raise SystemExit(f"test_folds: {what}: {is_!r}, and should be about {should!r}")


def await_(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"test_folds: waited in vain for {what}")
        time.sleep(0.02)


def start(*command, **options):
    running.append(subprocess.Popen(command, env=environment, **options))
    return running[-1]


def collector(*reporters):
    command = [COLLECTOR, "--dir", segments]
    for reporter in reporters:
        command += ["--reporter", reporter]
    return start(*command, stderr=open(f"{output}/said", "ab"))


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape(port):
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        return {}
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\S+(?:\{.*\})?) (\S+)$", text, re.M) if not m[0].startswith("#")}


def value_of(page, start, *parts):
    found = [v for k, v in page.items() if k.startswith(start) and all(p in k for p in parts)]
    return found[0] if len(found) == 1 else None


def emit_and_compare():
    worker = start(WORKER, "emit", str(ROUNDS), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    own = json.loads(worker.stdout.readline())
    check("events lost by the worker", own["ring_full"], 0)
    check("events", own["attempted"], 5 * ROUNDS)
    check("most of them folded", own["folded"] > 5 * ROUNDS - 1000, True)
    total, port = own["sum"], free_port(socket.SOCK_STREAM)
    statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    statsd.bind(("127.0.0.1", 0))
    statsd.settimeout(0.2)
    gather = collector(f"prometheus:listen=127.0.0.1:{port}", f"summary:format=json,path={output}/summary",
                       f"sqlite:path={output}/db", f"statsd:address=127.0.0.1:{statsd.getsockname()[1]}")

    # while the worker lives
    await_("prometheus to have all", lambda: value_of(
        scrape(port), "gb_scope_duration_seconds_count", 'scope="timing"') == ROUNDS)
    page = scrape(port)
    near("prometheus, sum of timings", value_of(page, "gb_scope_duration_seconds_sum", 'scope="timing"'), total / 1e9, 1e-15)
    check("prometheus, counter", value_of(page, "app_counter_total"), total)
    check("prometheus, halves", value_of(page, "app_halves_total"), total / 2)
    check("prometheus, gauge", value_of(page, "app_gauge{"), ROUNDS)
    check("prometheus, samples", value_of(page, "app_sample_count"), ROUNDS)
    check("prometheus, sum of samples", value_of(page, "app_sample_sum"), -total)
    check("prometheus, +Inf", value_of(page, "gb_scope_duration_seconds_bucket", 'scope="timing"', 'le="+Inf"'), ROUNDS)
    near("prometheus, up to 100 us", value_of(page, "gb_scope_duration_seconds_bucket", 'scope="timing"', 'le="0.0001"'),
         min(100000, ROUNDS), 0.022)
    check("prometheus, folded", value_of(page, "gb_collector_events_folded_total"), own["folded"])

    worker.stdin.close()
    check("the worker's end", worker.wait(PATIENCE), 0)
    await_("the segment to go", lambda: not [f for f in os.listdir(segments) if f.endswith(".seg")])
    gather.send_signal(signal.SIGTERM)
    check("the collector's end", gather.wait(PATIENCE), 0)

    summary = json.load(open(f"{output}/summary"))
    for every in (summary["all"], summary["workers"][0]) if "all" in summary else (summary,):
        timing = every["metrics"]["durations"]["timing"]
        check("summary, calls", timing["calls"], ROUNDS)
        near("summary, total", timing["total_s"], total / 1e9, 1e-15)
        near("summary, max", timing["max_s"], ROUNDS / 1e9, 1e-15)
        for name, part in ("p50_s", 0.5), ("p90_s", 0.9), ("p99_s", 0.99):
            near("summary, " + name, timing[name], part * ROUNDS / 1e9)
        check("summary, counter", every["usage"]["counter"], total)
        check("summary, halves", every["usage"]["halves"], total / 2)
        gauge = every["metrics"]["gauges"]["gauge"]
        check("summary, gauge", (gauge["last"], gauge["min"], gauge["max"], gauge["count"]), (ROUNDS, 1, ROUNDS, ROUNDS))
        sample = every["metrics"]["samples"]["sample"]
        near("summary, samples", sample["mean"], -total / ROUNDS, 1e-15)
        near("summary, median of samples", sample["p50"], -0.5 * ROUNDS)
        ledger = every["ledger"]
        check("summary, ledger", (ledger["attempted"], ledger["delivered"] + ledger["folded"], ledger["in_flight"]),
              (5 * ROUNDS, 5 * ROUNDS, 0))

    db = sqlite3.connect(f"{output}/db")
    rows = {scope: rest for scope, *rest in db.execute("select scope, events, sum, least, greatest from totals")}
    check("sqlite, totals", rows, {"timing": [ROUNDS, total, 1, ROUNDS], "counter": [ROUNDS, total, 1, ROUNDS],
                                   "halves": [ROUNDS, total / 2, 0.5, ROUNDS / 2],
                                   "sample": [ROUNDS, -total, -ROUNDS, -1], "gauge": [ROUNDS, total, 1, ROUNDS]})
    check("sqlite, ledger", db.execute("select attempted - delivered - folded, dropped from ledger").fetchall(), [(0, 0)])
    check("sqlite, views", (db.execute("select calls from where_time_goes where scope = 'timing'").fetchone(),
                            db.execute("select total from counter_totals where counter = 'counter'").fetchone()),
          ((ROUNDS,), (total,)))
    sums = {}
    try:
        while True:
            for line in statsd.recv(65536).decode().splitlines():
                name, rest = line.split(":", 1)
                if rest.endswith("|c"):
                    sums[name] = sums.get(name, 0) + float(rest[:-2])
    except socket.timeout:
        pass
    check("statsd", (sums["gb.counter"], sums["gb.halves"]), (total, total / 2))


def emit_meanwhile(times):
    """Tables are taken over while the worker folds as fast as it can."""
    for number in range(times):
        gather = collector(f"summary:format=json,path={output}/summary.{number}", f"sqlite:path={output}/db.{number}")
        await_("the collector", lambda: os.path.exists(f"{output}/db.{number}"))
        worker = start(WORKER, "emit", str(4 * ROUNDS), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        check("the worker's end", worker.wait(PATIENCE), 0)
        await_("the segment to go", lambda: not [f for f in os.listdir(segments) if f.endswith(".seg")])
        gather.send_signal(signal.SIGTERM)
        check("the collector's end", gather.wait(PATIENCE), 0)
        db = sqlite3.connect(f"{output}/db.{number}")
        check("sqlite, totals", set(db.execute("select events from totals").fetchall()), {(4 * ROUNDS,)})
        check("sqlite, ledger", db.execute("select attempted - delivered - folded, dropped from ledger").fetchall(), [(0, 0)])
        summary = json.load(open(f"{output}/summary.{number}"))
        check("summary, in flight", summary.get("all", summary)["ledger"]["in_flight"], 0)


def kill_both(rounds, seed):
    """Workers and collectors die at random; what came out must agree with what the workers know of themselves."""
    chance, tallies = random.Random(seed), []
    gather = collector(f"sqlite:path={output}/kills.db,when_behind=hold", "summary:path=/dev/null")
    worker = None
    for number in range(rounds):
        if worker is None:
            tallies.append(f"{output}/tally.{number}")
            worker = start(WORKER, "loop", tallies[-1], "2")
        time.sleep(chance.random() * 0.4) # a moment to do harm at
        if chance.random() < 0.5:
            worker.kill()
            worker.wait()
            worker = None
        else:
            gather.kill()
            gather.wait()
            time.sleep(chance.random() * 0.1)
            gather = collector(f"sqlite:path={output}/kills.db,when_behind=hold", "summary:path=/dev/null")
    if worker is not None:
        worker.kill()
        worker.wait()
    await_("all segments to go", lambda: not [f for f in os.listdir(segments) if f.endswith(".seg")])
    gather.send_signal(signal.SIGTERM)
    check("the collector's end", gather.wait(PATIENCE), 0)

    db = sqlite3.connect(f"{output}/kills.db")
    check("events twice", db.execute("select count(*) - count(distinct thread_id || ' ' || seq) from metrics").fetchone(), (0,))
    sums = {pid: rest for pid, *rest in db.execute(
        """select w.pid, l.attempted, l.delivered, l.folded, l.dropped,
               (select count(*) from metrics m join threads h on h.thread_id = m.thread_id where h.worker_id = w.worker_id),
               (select coalesce(sum(events), 0) from folds f where f.worker_id = w.worker_id),
               (select coalesce(sum(sum), 0) from folds f where f.worker_id = w.worker_id)
           from workers w join ledger l on l.worker_id = w.worker_id""")}
    workers = [p.pid for p in running if p.args[0] == WORKER and p.args[1] == "loop"]
    folded_ever = 0
    for tally, pid in zip(tallies, workers):
        if not os.path.exists(tally) or os.path.getsize(tally) == 0:
            continue
        data = open(tally, "rb").read()
        pairs = list(struct.iter_unpack("QQ", data))
        begun, returned = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
        if begun == 0:
            continue
        attempted, delivered, folded, dropped, rows, events, total = sums.get(pid, [0] * 7)
        check(f"begun and returned of {pid}", all(0 <= b - r <= 1 for b, r in pairs), True)
        check(f"{returned} <= {delivered} + {folded} + {dropped} <= {begun}",
              returned <= delivered + folded + dropped <= begun, True)
        check(f"attempted of {pid}", begun - len(pairs) <= attempted <= begun, True)
        check(f"rows of {pid}", rows, delivered)
        check(f"folded events of {pid}", (events, total), (folded, folded))
        folded_ever += folded
    check("some were folded", folded_ever > 0, True)
    print(f"killed {rounds} times, {folded_ever} events folded")


try:
    emit_and_compare()
    emit_meanwhile(3)
    kill_both(int(os.environ.get("GB_KILLS_FOLDS", "16")), int(os.environ.get("GB_SEED", "1")))
finally:
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(segments)
    shutil.rmtree(output)
