#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_snapshot.py GB COLLECTOR RECORDER WORKER: flight recorders, looked at while they run, after they ended and after they were killed.

The recorder's events say themselves what they must be: value n, and all else follows from n. So a torn one, a missing one and one that
is told of another thread show, and the first value is the number of those that were overwritten."""

import json, os, re, select, shutil, signal, subprocess, sys, tempfile, time

GB, COLLECTOR, RECORDER, WORKER = sys.argv[1:5]
PATIENCE = 60
segments = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
output = tempfile.mkdtemp(prefix="gb-snapshot-")
running = []
base = {k: v for k, v in os.environ.items() if not k.startswith("GEMINI_BATCH_TELEMETRY")}
base["GEMINI_BATCH_TELEMETRY_DIR"] = segments
recording = dict(base, GEMINI_BATCH_TELEMETRY="1", GEMINI_BATCH_TELEMETRY_OVERFLOW="overwrite")


def check(what, is_, should=True):
    if is_ != should:
        raise SystemExit(f"test_snapshot: {what}: {is_!r:.500}, and should be {should!r:.500}")


def await_(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"test_snapshot: waited in vain for {what}")
        time.sleep(0.01)


def start(events, threads=1, ring="16K", *how):
    worker = subprocess.Popen([RECORDER, str(events), str(threads), *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(recording, GEMINI_BATCH_TELEMETRY_RING_BYTES=ring))
    running.append(worker)
    check("the recorder", worker.stdout.readline(), b"ready\n")
    return worker


def end(worker):
    worker.stdin.close()
    check("its end", worker.wait(PATIENCE), 0)


def gb(*words, status=0):
    done = subprocess.run([GB, *words], env=base, capture_output=True, text=True, timeout=PATIENCE)
    check(f"exit status of gb {' '.join(words)} ({done.stderr})", done.returncode, status)
    return done


def snapshot(*words, status=0):
    return [json.loads(line) for line in gb("snapshot", *words, status=status).stdout.splitlines()]


def files(suffix=".rec"):
    return sorted(f for f in os.listdir(segments) if f.endswith(suffix))


def empty():
    for name in os.listdir(segments):
        os.unlink(f"{segments}/{name}")


def check_event(line):
    n, data = line["value"], line["metadata"]
    check("its scope", line["scope"], "work.n")
    check("what follows from its value", data["twice"], 2 * n)
    if n % 7 == 0:
        text = chr(ord("a") + n % 26) * 100
        check("its texts", (data["text"], data["more"], data["half"]), (text, text, n / 2))
    else:
        check("no more than that", len(data), 1)


def check_lines(lines, threads, how, pid):
    """One worker. Returns by thread the first value and the last one, and how many open scopes were told."""
    check("first and last line", (lines[0]["state"], lines[-1]["state"], lines[-1]["how"]), ("started", "finished", how))
    check("pid", {line["pid"] for line in lines}, {pid})
    rings, opened = {}, 0
    for line in lines[1:-1]:
        ring = rings.setdefault(line["ring"], {"values": [], "overwritten": 0, "seq": -1, "tids": set()})
        check("sequences rise", line["seq"] > ring["seq"])
        ring["seq"] = line["seq"]
        ring["tids"].add(line["tid"])
        if line["event"] == "telemetry.lost":
            check("the gap comes first", ring["values"], [])
            check("nothing else is lost", sum(line["dropped"].values()), line["dropped"]["overwritten"])
            ring["overwritten"] += line["dropped"]["overwritten"]
        elif line["event"] == "telemetry.metric":
            check_event(line)
            if ring["values"]:
                check("no hole", line["value"], ring["values"][-1] + 1)
                check("time goes on", line["monotonic_s"] >= ring["time"] and line["ts"] >= ring["ts"])
            ring["time"], ring["ts"] = line["monotonic_s"], line["ts"]
            ring["values"].append(line["value"])
        else:
            check("the open scope", (line["scope"], line["unfinished"], line["metadata"]["file"]),
                  ("work", True, "some name of a file"))
            check("why it is open", line["cause"], "open" if how == "snapshot" else "died")
            opened += 1
    check("rings", len(rings), threads)
    for ring in rings.values():
        check("something is left", len(ring["values"]) > 0)
        check("what was overwritten is what is not there", ring["overwritten"], ring["values"][0])
        check("one thread each, and known", len(ring["tids"]) == 1 and 0 not in ring["tids"])
    ledger = lines[-1]
    overwritten = ledger["dropped"]["overwritten"]
    check("delivered", ledger["delivered"], sum(len(r["values"]) for r in rings.values()))
    check("overwritten", overwritten, sum(r["overwritten"] for r in rings.values()))
    flight = ledger["attempted"] - ledger["delivered"] - sum(ledger["dropped"].values())
    check("in flight", 0 <= flight <= (threads if how == "vanished" else 0))
    check("malformed", ledger["malformed"], 0)
    check("open scopes", ledger["unfinished"], opened)
    return {r: (ring["values"][0], ring["values"][-1]) for r, ring in rings.items()}, opened


def what_it_held(lines):
    """Times are left out: each collector measures the clock anew."""
    return [(line["ring"], line["seq"], line["value"], line["metadata"]) for line in lines if line["event"] == "telemetry.metric"]


def nothing_there():
    said = gb("snapshot", status=1).stderr
    check("why there is nothing", "no recordings in " + segments in said and "OVERFLOW=overwrite" in said)
    subprocess.run([WORKER, "3"], env=dict(recording, GEMINI_BATCH_TELEMETRY_OVERFLOW="fold"), check=True)
    said = gb("snapshot", status=1).stderr
    check("that there are others", "(1 segment of other workers there" in said)
    check("a directory that is not there", "/nowhere/at/all" in gb("snapshot", "--dir", "/nowhere/at/all", status=1).stderr)
    empty()


def while_it_runs():
    for threads, ring in (1, "16K"), (2, "16K"), (1, "1M"):
        worker, before = start(20000, threads, ring), {}
        for _ in range(5):
            seen, opened = check_lines(snapshot(), threads, "snapshot", worker.pid)
            for index, (first, last) in seen.items():
                check("it went on", index not in before or last > before[index][1])
            before = seen
        check("it does not notice", worker.poll(), None)
        check("gb ls", re.search(rf" {worker.pid} .* alive .* recorder ", gb("ls").stdout) is not None)
        end(worker)
        gb("snapshot", "--remove")
        check("a dead one goes when told", files(), [])


def when_it_stands_still():
    worker = start(5000, 1, "64K", "stop")
    lines = snapshot()
    (first, last), = check_lines(lines, 1, "snapshot", worker.pid)[0].values()
    check("the newest won", last, 4999)
    check("and fill the ring: 1,024 slots, less what is announced", sum(1 if n % 7 else 5 for n in range(first, last + 1)) > 1024 * 0.85)
    check("twice the same", what_it_held(snapshot()), what_it_held(lines))
    said = gb("snapshot", "--remove", "-o", f"{output}/lines").stderr
    check("a living one stays", f"pid {worker.pid} runs, or may: its recording stays" in said and len(files()) == 1)
    check("into a file", sum(1 for _ in open(f"{output}/lines")), len(lines))
    gb("snapshot", "-o", f"{output}/lines")
    check("anew", sum(1 for _ in open(f"{output}/lines")), len(lines))
    end(worker)
    lines = snapshot()
    check("how it ended", (lines[-1]["how"], lines[-1]["unfinished"]), ("exit", 0))
    check("its last event", [line["scope"] for line in lines if "scope" in line][-1], "work")
    check("nothing in flight", lines[-1]["attempted"], lines[-1]["delivered"] + lines[-1]["dropped"]["overwritten"])
    gb("snapshot", "--remove")
    check("now it goes", files(), [])


def a_few_events():
    """Less than a ring: nothing was overwritten, and nothing is said to be."""
    worker = start(20, 1, "16K", "stop")
    seen = check_lines(snapshot(), 1, "snapshot", worker.pid)[0]
    check("all are there", seen, {0: (0, 19)})
    end(worker)
    empty()


def killed():
    for round_ in range(8):
        worker = start(3000 + round_, 2)
        worker.kill()
        worker.wait(PATIENCE)
        seen, opened = check_lines(snapshot(), 2, "vanished", worker.pid)
        check("open scopes are told", opened, 2)
        check("again the same", check_lines(snapshot(), 2, "vanished", worker.pid), (seen, opened))
        gb("snapshot", "--remove")
        check("gone", files(), [])


def several():
    one, two = start(2000), start(100)
    two.kill()
    two.wait(PATIENCE)
    check("both", {line["pid"] for line in snapshot()}, {one.pid, two.pid})
    check_lines(snapshot("--pid", str(two.pid)), 1, "vanished", two.pid)
    check_lines(snapshot("-p", str(one.pid)), 1, "snapshot", one.pid)
    said = gb("snapshot", "--pid", "1", status=1).stderr
    check("those that there are", all(str(w.pid) in said for w in (one, two)))
    gb("snapshot", "--remove")
    check("the living one stays", len(files()), 1)
    end(one)
    gb("snapshot", "--remove")


def other_reporters():
    worker = start(3000, 1, "16K", "stop")
    report = gb("snapshot", "--reporter", "summary", "-r", f"sqlite:path={output}/db", "-r", f"trace:path={output}/trace",
                "-o", f"{output}/log").stdout
    check("the report", "overwritten" in report and "work.n" in report and "snapshot" in report)
    check("no column beyond 80", max(len(line) for line in report.splitlines()) <= 80)
    lines = [json.loads(line) for line in open(f"{output}/log")]
    check_lines(lines, 1, "snapshot", worker.pid)
    values = [line["value"] for line in lines if line["event"] == "telemetry.metric"]
    import sqlite3
    db = sqlite3.connect(f"{output}/db")
    check("in the database", db.execute("select count(*), min(value), max(value) from metrics").fetchone(),
          (len(values), values[0], values[-1]))
    check("its open scope", db.execute("select scope, cause from unfinished_scopes").fetchall(), [("work", "open")])
    check("what is missing", db.execute("select events from ledger_drops where cause = 'overwritten'").fetchall(), [(values[0],)])
    trace = json.load(open(f"{output}/trace"))
    check("in the trace", '"gb.cause": "open"' in json.dumps(trace))
    end(worker)
    empty()


def slow_readers_get_all():
    """More than the queues hold, into a pipe that is read later."""
    worker = start(20000, 8, "1M", "stop")
    reader = subprocess.Popen([GB, "snapshot", "-r", "log", "-r", f"summary:path={output}/summary,format=json"], env=base,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.append(reader)
    lines = [reader.stdout.readline()]
    lines += reader.stdout.readlines()
    said = reader.stderr.read()
    check(f"nobody lost anything ({said})", reader.wait(PATIENCE), 0)
    check("all of it came", check_lines([json.loads(line) for line in lines], 8, "snapshot", worker.pid)[1], 8)
    end(worker)
    empty()


def private_directory(process):
    for fd in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{process.pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("/dev/shm/gb-run-"):
            return "/".join(target.split("/")[:4])
    return None


def a_signal_leaves_nothing_behind():
    worker = start(20000, 2, "1M", "stop")
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        process = subprocess.Popen([GB, "snapshot"], env=base, stdout=subprocess.PIPE)
        running.append(process)
        select.select([process.stdout], [], [], PATIENCE)  # it writes, and will never come to its end
        directory = private_directory(process)
        check("its directory", directory is not None and os.path.isdir(directory))
        process.send_signal(number)
        check("its end", process.wait(PATIENCE), 128 + number)
        check("nothing is left", not os.path.exists(directory))
        process.stdout.close()
    process = subprocess.Popen([GB, "snapshot"], env=base, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()  # as head does
    check("a reader that goes away", "no_reader" in process.stderr.read())
    check("is told", process.wait(PATIENCE), 1)
    end(worker)
    empty()


def under_gb_run():
    said = subprocess.run([GB, "run", "--", WORKER, "20"], env=dict(recording), capture_output=True, text=True).stderr
    directory = re.search(r"^  gb snapshot --dir (/dev/shm/gb-run-\w+) && rm -r \1$", said, re.M)
    check("where it stays", directory is not None and "1 flight recorder (" in said)
    check("nothing else is missed", "no worker was attached" not in said)
    lines = snapshot("--dir", directory[1])
    check("it is there", (lines[-1]["how"], lines[-1]["attempted"], lines[-1]["delivered"]), ("exit", 61, 61))
    shutil.rmtree(directory[1])


def no_collector_touches_it():
    worker = start(300)
    collector = subprocess.Popen([COLLECTOR, "--quiet", "--dir", segments], env=base, stdout=subprocess.PIPE)
    running.append(collector)
    other = subprocess.run([WORKER, "3"], env=dict(recording, GEMINI_BATCH_TELEMETRY_OVERFLOW="fold"))
    check("the other worker", other.returncode, 0)
    worker.kill()
    worker.wait(PATIENCE)
    await_("the other's segment to be taken", lambda: not files(".seg"))
    check("the recording stays", len(files()), 1)
    check_lines(snapshot(), 1, "vanished", worker.pid)
    collector.terminate()
    check("the collector's end", collector.wait(PATIENCE), 0)
    check("its report", b"recorder" not in collector.stdout.read())
    os.rename(f"{segments}/{files()[0]}", f"{segments}/{files()[0][:-4]}.seg")
    once = subprocess.run([COLLECTOR, "--once", "--dir", segments], env=base, capture_output=True, text=True)
    check("under another name it is refused", "what is in it is called gb-" in once.stderr)
    empty()


def broken_files():
    worker = start(3000)
    worker.kill()
    worker.wait(PATIENCE)
    whole = f"{segments}/{files()[0]}"
    image = open(whole, "rb").read()

    def refused(what, change, says):
        os.truncate(whole, 0)
        with open(whole, "r+b") as file:
            file.write(change(image))
        said = gb("snapshot", status=1).stderr
        check(what + f" ({said})", re.search(says, said) is not None)

    refused("an empty file", lambda image: b"", "it is empty")
    refused("no header", lambda image: image[:1000], "the header alone has")
    refused("another magic", lambda image: b"x" + image[1:], "no segment of gb-telemetry")
    refused("the half of it", lambda image: image[:len(image) // 2], r"do not fit|cut short|left out")
    os.unlink(whole)
    os.symlink("/etc/passwd", whole)
    check("a link", "symbolic link" in gb("snapshot", status=1).stderr)
    os.unlink(whole)
    # a ring that is not there any more is a broken one; the others are told
    open(whole, "wb").write(image[:len(image) - 4096])
    os.chmod(whole, 0o600)
    lines = snapshot()
    check("the worker at least", (lines[-1]["state"], lines[-1]["delivered"]), ("finished", 0))
    second = start(50, 1, "16K", "stop")
    os.truncate(whole, 100)
    lines = [json.loads(line) for line in gb("snapshot", status=1).stdout.splitlines()]
    check_lines(lines, 1, "snapshot", second.pid)
    end(second)
    empty()


def mistakes():
    for words, says in ((["--pid", "0"], "--pid 0 is not a process id"), (["--pid", "x1"], "accepted: a number"),
                        (["--remvoe"], "did you mean --remove?"), (["--reporter", "nonsense"], "nonsense"),
                        (["here"], "here is not an option"), (["-o"], "a value is missing")):
        check(f"what is said of {words}", says in gb("snapshot", *words, status=2).stderr)
    check("the nearest command", "did you mean snapshot?" in gb("snapshoot", status=2).stderr)
    text = gb("snapshot", "--help").stdout
    check("help", text.startswith("usage: gb snapshot ") and max(len(line) for line in text.splitlines()) <= 80)
    check("the list of commands", "  snapshot " in gb("help").stdout)


try:
    for test in (mistakes, nothing_there, a_few_events, when_it_stands_still, while_it_runs, killed, several, other_reporters,
                 slow_readers_get_all, a_signal_leaves_nothing_behind, under_gb_run, no_collector_touches_it, broken_files):
        began = time.monotonic()
        test()
        check(f"{test.__name__} leaves nothing", [f for f in os.listdir(segments) if f.startswith("gb-")], [])
        print(f"{test.__name__.replace('_', ' ')}: {time.monotonic() - began:.1f} s", flush=True)
finally:
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(segments)
    shutil.rmtree(output)
