#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_readme.py GB WORKER: what the README shows of examples/ is what stands there, and does what it says: the plug-in, built from the
README alone and include/gb/reporter.h, tells each failure; the reporter in Python gives the log's own sums."""

import collections, json, os, pathlib, re, subprocess, sys, tempfile

gb, worker = (os.path.abspath(p) for p in sys.argv[1:3])
root = pathlib.Path(__file__).resolve().parents[2]
shown = dict(re.findall(r"^`(examples/[\w./]+)`:\n\n```\w+\n(.*?)^```$", (root / "README.md").read_text(), re.S | re.M))
assert set(shown) == {"examples/quickstart.c", "examples/plugin/failures.c", "examples/totals.py"}, shown.keys()
for name, text in shown.items():
    assert text == (root / name).read_text(), f"README.md shows another {name} than the one there"

with tempfile.TemporaryDirectory() as work:
    os.makedirs(f"{work}/files")
    os.makedirs(f"{work}/scratch/00000001.gz")  # where the second file's output is to go: it fails
    for i in range(5):
        pathlib.Path(f"{work}/files/{i}").write_text(1000 * str(i))
    for name in ("examples/plugin/failures.c", "examples/totals.py"):
        pathlib.Path(work, os.path.basename(name)).write_text(shown[name])
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{root}/include", "-o", "failures.so",
                    "failures.c"], check=True, cwd=work)
    subprocess.run([gb, "reporters", "check", "./failures.so"], check=True, cwd=work, stdout=subprocess.DEVNULL)
    result = subprocess.run([gb, "run", "-o", "report", "--reporter", "./failures.so", "--reporter",
                             "exec:command=python3 totals.py >totals", "--reporter", "log:path=log", "--", worker, "-s", "scratch", "files"],
                            cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
    assert result.returncode == 1, result
    events = [json.loads(line) for line in open(f"{work}/log")]
    failed = [e for e in events if e.get("failed")]
    told = re.findall(r"^batch_worker\[(\d+)\]: (\S+) failed after ([\d.]+) ms$", result.stdout, re.M)
    assert len(failed) == 1 and told == [(str(e["pid"]), e["scope"], f"{e['duration_s'] * 1000:.3f}") for e in failed], (told, failed)
    totals = collections.Counter()
    for e in events:
        if e["event"] == "telemetry.timing":
            totals[e["scope"]] += e["duration_s"]
        elif e.get("metric_type") == "counter":
            totals[e["scope"]] += e["value"]
    given = dict(map(eval, open(f"{work}/totals")))
    assert given.keys() == totals.keys() and all(abs(given[k] - totals[k]) < 1e-6 for k in totals), (given, totals)
print("3 examples of the README: right")
