# SPDX-License-Identifier: MIT
"""Runs that never happened: the recorded one, and one with chosen costs on a machine with phases. In: a seed. Out: runs."""
import json
import random
from pathlib import Path

from bench.suite.rows import Row, Rows, parse
from bench.suite.store import Run

HERE = Path(__file__).parent
MACHINE = {"cpu": "Some Make 9", "cores": 2, "kernel": "6.1.0", "compiler": "cc 12", "virtualised": "no", "clock_source": "tsc"}


def recorded():
    lines = (HERE / "recorded.jsonl").read_text().splitlines()
    return Run("2026-11-22T22:00:00", True, dict(MACHINE), Rows(parse(line) for line in lines))


def phases(source, count, value, noise=0.02, slow=1.8):
    """Samples of a machine that is twice as slow now and then, for some dozens of samples."""
    samples, busy = [], False
    for i in range(count):
        if i % 40 == 0:
            busy = source.random() < 0.3
        samples.append(value * (slow if busy else 1) * (1 + abs(source.gauss(0, noise))))
    return samples


def run(seed, scope=20.0, counter=10.5, wall=1.0, instructions=212.0):
    source = random.Random(seed)
    floor = phases(source, 400, 19.5, slow=1.0)
    rows = [Row("emit", "floor", "ns", samples=floor),
            Row("emit", "scope", "ns", samples=phases(source, 400, scope), floor="floor"),
            Row("emit", "counter", "ns", samples=phases(source, 400, counter), floor="floor"),
            Row("emit", "scope_instructions", "instructions", samples=[instructions]),
            Row("app", "demo", "s", samples=[wall * (1 + source.gauss(0, 0.01)) for _ in range(15)]),
            Row("loss", "highest_rate", "events/s", better="higher", samples=[5e6 * (1 + source.gauss(0, 0.01)) for _ in range(8)]),
            Row("loss", "single", "share", samples=[0.1])]
    return Run(f"2026-11-22T0{seed % 10}:00:00", False, dict(MACHINE), Rows(rows))


def slower(run, case, factor):
    """The same run with one case slower."""
    rows = [Row(**{**json.loads(json.dumps(row.as_dict())), "samples": [value * factor for value in row.samples]})
            if row.case == case else row for row in run.rows.all]
    return Run(run.made, run.quick, run.machine, Rows(rows))
