# SPDX-License-Identifier: MIT
"""What the collector takes, and what it misses. In: the rows of the parts drain and loss. Out: three plots: its CPU against the rate,
the policy of its drain, loss against the rate by ring size."""
import re

from . import statistics
from .gnuplot import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Plot, Series
from .part_tables import reached, reached_of
from .plots_call import spread
from .tables import amount, digits

COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, GREY)
DEFAULT_RING = 2 ** 20


def rounded(value, unit):
    """A setting, not a measurement: 1 MiB, not 1.00 MiB."""
    return re.sub(r"\.0+ ", " ", amount(value, unit))


# ---- loss ----
def highest_of(rows):
    """With the default ring, of the reporter that takes most."""
    found = rows.curve("loss", "highest_rate")
    found = [row for row in found if row.x == DEFAULT_RING] or found
    return max(found, key=lambda row: statistics.median(row.samples), default=None)


def loss(rows):
    curves = {}
    for row in rows.curve("loss", "lost_share"):
        key = row.labels.get("reporter", "?"), float(row.labels.get("ring_bytes", 0))
        curves.setdefault(key, []).append((reached_of(rows, row) / 1e6, 100 * statistics.median(row.samples)))
    if not curves:
        return None
    several = len({reporter for reporter, _ in curves}) > 1
    series = [Series(f"rings of {rounded(ring, 'bytes')}" + (f", {reporter}" if several else ""), points, COLOURS[i % len(COLOURS)])
              for i, ((reporter, ring), points) in enumerate(sorted((key, sorted(points)) for key, points in curves.items()))]
    title = "What is lost above the rate that the collector can take"
    best = highest_of(rows)
    below = curves.get((best.labels.get("reporter", "?"), float(best.x)), []) if best else []
    if any(reached < statistics.median(best.samples) / 1e6 and share > 1 for reached, share in below):
        title = "What is lost by rate; the machine was too noisy to name the highest rate that loses nothing"
    elif best:
        title = (f"Nothing is lost up to {digits(statistics.median(best.samples) / 1e6)} million events a second with rings of "
                 f"{rounded(best.x, 'bytes')}, into {best.labels.get('reporter')}")
    return Plot("loss", "loss", title,
                "Share of the events that found their ring full, at the steady rate that the worker came to, by the size of a thread's ring. Every one of them is "
                "counted.",
                "events a second, millions (logarithmic)", "lost, %", series,
                ["set yrange [-2:]", "set logscale x 2", 'set format x "%g"'])


# ---- CPU ----
def collector(rows):
    found = list(reached(rows))
    points = [(rate, *(max(0.01, value) for value in spread(row.samples))) for row, rate, _ in found]
    if not points:
        return None
    series = [Series("collector, into summary", points, BLUE)]
    rate, cpu = points[-1][:2]
    title = (f"At {digits(rate / 1e6)} million events a second the collector takes {digits(cpu)} % of a core, "
             f"{amount(found[-1][2], 'ns')} an event")
    if idle := rows.curve("drain", "collector_cpu_idle"):
        level = statistics.median(idle[-1].samples)
        title += f"; idle with {idle[-1].x:g} workers {digits(level)} %"
        ends = [(x, max(0.01, level)) for x in (points[0][0], rate)]
        series.append(Series(f"idle, {idle[-1].x:g} workers", ends, GREY, "lines", 2))
    return Plot("collector-cpu", "drain", title,
                "CPU of the collector while a worker emits at a steady rate, the one that it came to, as a share of one core. Both axes "
                "logarithmic.",
                "events a second (logarithmic)", "CPU, % of one core (logarithmic)", series,
                ["set logscale xy", f"set xrange [{points[0][0] / 1.6:g}:{rate * 1.6:g}]", 'set format y "%g"',
                 "set xtics ('10 k' 1e4, '100 k' 1e5, '1 M' 1e6, '5 M' 5e6, '10 M' 1e7)"])


# ---- the drain's policy ----
def policy(rows):
    """How long the drain sleeps between two passes; woken by a ring that is half full."""
    at = {"events_per_s": "1000000"}
    worker, cpu = (rows.curve("drain", f"policy_sleep_{who}", **at) for who in ("worker", "collector"))
    sleeps = sorted({row.x for row in worker})
    if len(sleeps) < 2:
        return None
    paid, taken = policy_points(worker, sleeps), policy_points(cpu, sleeps)
    best = min(range(len(paid)), key=lambda i: paid[i][1])
    title = (f"A drain that never sleeps makes a scope cost {amount(paid[0][1], 'ns')} and takes {digits(taken[0][1])} % of a core; one "
             f"that sleeps {rounded(1e3 * sleeps[best], 'ns')} between passes leaves it at {amount(paid[best][1], 'ns')} and takes "
             f"{digits(taken[best][1])} %")
    ticks = ", ".join(f'"{rounded(1e3 * sleep, "ns") if sleep else "never sleeps"}" {i}' for i, sleep in enumerate(sleeps))
    return Plot("drain-policy", "drain", title,
                "What the worker pays for a scope, and the collector in all, at 1,000,000 events a second, by how long the drain sleeps "
                "between two passes (a ring that is half full wakes it). A scope: mean of groups of 32 without the slowest 1 % of them, which "
                "hold preemptions and wakes. The bars span the 10th to the 90th percentile.",
                "sleep between two passes", "ns a scope",
                [Series("a scope, in the worker (left)", paid, BLUE), Series("the collector's CPU (right)", taken, ORANGE, right=True)],
                [f"set xtics ({ticks})", f"set xrange [-0.4:{len(sleeps) - 0.6}]", f"set yrange [0:{max(point[3] for point in paid) * 1.15:g}]",
                 "set border 11 lc rgb '#666666'", "set rmargin 11", "set y2label 'CPU, % of one core'", "set y2range [0:*]",
                 "set y2tics nomirror out textcolor rgb '#333333'"])


def policy_points(curve, sleeps):
    """Evenly spaced, one a sleep: woken where that was measured."""
    points = {}
    for row in curve:
        if row.x not in points or row.labels.get("wake") == "half_full":
            points[row.x] = (sleeps.index(row.x), *spread(row.samples))
    return sorted(points.values())
