# SPDX-License-Identifier: MIT
"""Plots that answer a question each. In: the rows of a run. Out: their titles, which state what was found here, and their points."""
import re

from . import gnuplot, machine, statistics
from .gnuplot import BLUE, GREEN, GREY, LIGHT, ORANGE, PURPLE, RED, Plot, Series
from .tables import amount, count, digits, share, signed

LAZY = {"collector": "lazy"}
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, GREY)


def spread(samples):
    """Median, and the range in which four of five lie."""
    return statistics.median(samples), statistics.lower_decile(samples), statistics.quantile(samples, 0.9)


def rounded(value, unit):
    """A setting, not a measurement: 1 MiB, not 1.00 MiB."""
    return re.sub(r"\.0+ ", " ", amount(value, unit))


def times(value):
    return f"{value:.2f}" if value < 3 else digits(value)


# ---- what a call costs, beside the floor and the peers ----
EMIT_BARS = (("floor_one_clock_read", "lazy", "floor: one clock read", GREY), ("floor_two_clock_reads", "lazy", "floor: two clock reads", GREY),
             ("scope_disabled", "lazy", "GB_SCOPE, disabled", BLUE), ("counter", "lazy", "GB_COUNT", BLUE),
             ("scope", "lazy", "GB_SCOPE", BLUE), ("scope_3_attributes", "lazy", "GB_SCOPE, 3 attributes", BLUE),
             ("scope", "greedy", "GB_SCOPE, a collector that chases it", LIGHT))
PEER_BARS = (("ck_ring", "ck_ring, drained by a process"), ("wfcqueue", "wfcqueue, drained by a thread"), ("pcp_mmv", "PCP MMV (aggregates only)"),
             ("lttng_ust_event", "LTTng-UST, one event"), ("lttng_ust_pair", "LTTng-UST, begin and end"), ("fprintf_json", "fprintf of a JSON line"),
             ("spdlog_async", "spdlog, asynchronous"), ("statsd_unix", "StatsD, unix socket"), ("statsd_udp", "StatsD, UDP"))


def bar(label, row, colour):
    value, low, high = spread(row.samples)
    lost = f", lost {share(row.drops / (row.calls_per_sample * len(row.samples)))}" if row.drops and row.calls_per_sample else ""
    return label, value, low, high, colour, amount(value, "ns") + lost


def cost(rows):
    bars = [bar(label, row, colour) for case, collector, label, colour in EMIT_BARS if (row := rows.one("emit", case, collector=collector))]
    others = [bar(label, row, ORANGE) for case, label in PEER_BARS if (row := rows.one("peers", case))]
    scope = rows.one("emit", "scope", **LAZY) or rows.one("peers", "gb_scope")
    if not scope or not bars + others:
        return None
    floor = rows.floor_of(scope)
    title = f"A scope costs {amount(statistics.median(scope.samples), 'ns')}"
    if floor:
        title += f", {times(statistics.median(scope.samples) / statistics.median(floor.samples))} times the two clock reads in it"
    ours = rows.one("peers", "gb_scope")
    found = [f"{name} {times(statistics.median(row.samples) / statistics.median(ours.samples))} times"
             for case, name in (("lttng_ust_pair", "with LTTng-UST"), ("statsd_udp", "with StatsD")) if ours and (row := rows.one("peers", case))]
    title += "; the same job takes " + " as long, ".join(found) + " as long" if found else ""
    return Plot("cost", "emit" if bars else "peers", title,
                "Median of all bursts; the line on a bar spans the range from the 10th to the 90th percentile. Logarithmic axis. Grey: what any "
                "measurement of a duration needs; blue: this library; orange: peers with the same payload.",
                "time of a call, ns (logarithmic)", bars=bars + sorted(others, key=lambda bar: bar[1]), height=180 + 26 * len(bars + others))


# ---- the tail ----
def distribution(rows):
    series = []
    looks = {("scope_distribution", "burst"): ("a scope, in bursts", BLUE, 1), ("scope_distribution", "paced"): ("a scope, now and then", GREEN, 1),
             ("floor_distribution", "burst"): ("two clock reads, in bursts", GREY, 1), ("floor_distribution", "paced"): ("two clock reads, now and then", LIGHT, 1)}
    for (case, load), (title, colour, dash) in looks.items():
        row = rows.one("emit", case, load=load)
        if row and row.quantiles:
            points = [(max(value, 1), 1 - q) for q, value in row.quantiles if q < 1]
            series.append(Series(title, points, colour, dash=dash))
    row = rows.one("emit", "scope_distribution", load="burst") or rows.one("emit", "scope_distribution")
    if not row:
        return None
    title = (f"99 % of scopes end within {amount(row.quantile(0.99), 'ns')}, 99.99 % within {amount(row.quantile(0.9999), 'ns')}; "
             "the rest is mostly the machine's own")
    floor = rows.one("emit", "floor_distribution", load=row.labels.get("load"))
    if not floor or row.quantile(0.9999) > 3 * floor.quantile(0.9999):
        title = title.replace("; the rest is mostly the machine's own", "")
    return Plot("distribution", "emit", title,
                "How many of the single calls took longer than the time below; both axes logarithmic, so each line of the grid is a tenth of the calls. Every "
                "call holds one clock read more than in the other figures, its stamp.",
                "time of a single call (logarithmic)", "share of calls that took longer", series,
                ["set logscale xy", "set xrange [10:]", "set yrange [1e-6:1]", 'set format y "10^{%T}"',
                 "set xtics ('10 ns' 10, '30 ns' 30, '100 ns' 100, '300 ns' 300, '1 µs' 1e3, '3 µs' 3e3, '10 µs' 1e4, '30 µs' 3e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7)"])


# ---- threads and processes ----
def scale(rows, cores):
    series, worst = [], 1.0
    # beside each other, not on top of each other
    for case, name, colour, aside in (("scope_threads", "scope, threads", BLUE, 0.97), ("scope_processes", "scope, processes", GREEN, 1.03),
                                      ("floor_threads", "two clock reads, threads", GREY, 0.94),
                                      ("floor_processes", "two clock reads, processes", LIGHT, 1.06)):
        curve = rows.curve("scale", case)
        series.append(Series(name, [(row.x * aside, *spread(row.samples)) for row in curve], colour))
        if case.startswith("scope") and len(curve) > 1:
            first = statistics.median(curve[0].samples)
            worst = max([worst] + [1 + abs(statistics.median(row.samples) / first - 1) for row in curve])
    if not any(one.points for one in series[:2]):
        return None
    most = max(row.x for case in ("scope_threads", "scope_processes") for row in rows.curve("scale", case))
    top = max(point[3] for one in series for point in one.points)
    ticks = ", ".join(f"{2 ** i}" for i in range(int(most).bit_length()))
    title = (f"From 1 to {most:.0f} threads or processes a scope's CPU time stays within {share(worst - 1)} of that of one" if worst < 1.25 else
             f"With up to {most:.0f} threads or processes a scope's CPU time rises to {times(worst)} times that of one")
    return Plot("scale", "scale", title,
                f"CPU time of a call on its own thread; the bars span the 10th to the 90th percentile. The machine has {cores} cores (dashed line), one of "
                "them shared with the collector: to its right threads take turns.",
                "threads or processes", "CPU time of a call, ns", series,
                ["set logscale x 2", f"set xtics ({ticks})", f"set xrange [0.8:{most * 1.25:g}]", f"set yrange [0:{top * 1.2:g}]",
                 f"set arrow 1 from {cores},graph 0 to {cores},graph 1 nohead dt 2 lc rgb '#888888'",
                 f'set label 1 "{cores} cores" at {cores},graph 0.04 offset 0.6,0 textcolor rgb "#888888"'])


# ---- loss ----
def loss(rows):
    curves = {}
    for row in rows.curve("loss", "lost_share"):
        key = row.labels.get("reporter", "?"), float(row.labels.get("ring_bytes", 0))
        curves.setdefault(key, []).append((row.x / 1e6, 100 * statistics.median(row.samples)))
    if not curves:
        return None
    several = len({reporter for reporter, _ in curves}) > 1
    series = [Series("rings of " + rounded(ring, "bytes") + (f", {reporter}" if several else ""), points, COLOURS[i % len(COLOURS)])
              for i, ((reporter, ring), points) in enumerate(sorted(curves.items()))]
    highest = [row for row in rows.curve("loss", "highest_rate") if row.x == 2 ** 20] or rows.curve("loss", "highest_rate")
    best = max(highest, key=lambda row: statistics.median(row.samples)) if highest else None
    title = (f"Nothing is lost up to {amount(statistics.median(best.samples), 'events/s').replace('M/s', 'million events a second')} with rings of "
             f"{rounded(best.x, 'bytes')}, into {best.labels.get('reporter')}" if best else "What is lost above the rate that the collector can take")
    return Plot("loss", "loss", title,
                "Share of the events that found their ring full, at a steady rate, by the size of a thread's ring. Every one of them is counted.",
                "events a second, millions", "lost, %", series, ["set yrange [-2:]", "set logscale x 2", 'set format x "%g"'])


# ---- the collector's CPU ----
def collector(rows):
    series = []
    for case, name, colour in (("collector_cpu", "collector, into summary", BLUE), ("worker_cpu", "worker", GREY)):
        points = [(row.x, *(max(0.01, value) for value in spread(row.samples))) for row in rows.curve("drain", case)]
        series.append(Series(name, points, colour))
    points = series[0].points
    if not points:
        return None
    idle_rows = rows.curve("drain", "collector_cpu_idle")
    if idle_rows:
        level = max(0.01, statistics.median(idle_rows[-1].samples))
        series.append(Series(f"idle, {idle_rows[-1].x:g} workers", [(points[0][0], level), (points[-1][0], level)], GREY, "lines", 2))
    rate, cpu = points[-1][:2]
    idle = [row for row in rows.curve("drain", "collector_cpu_idle") if row.x == 100]
    title = f"At {count(rate)} events a second the collector takes {digits(cpu)} % of a core, {digits(cpu / 100 / rate * 1e9)} ns an event"
    if idle:
        title += f"; idle with 100 workers {digits(statistics.median(idle[0].samples))} %"
    return Plot("collector-cpu", "drain", title, "CPU of the collector while workers emit at a steady rate, as a share of one core. Both axes logarithmic.",
                "events a second (logarithmic)", "CPU, % of one core (logarithmic)", series,
                ["set logscale xy", f"set xrange [{points[0][0] / 1.6:g}:{points[-1][0] * 1.6:g}]", "set xtics ('10 k' 1e4, '100 k' 1e5, '1 M' 1e6, '5 M' 5e6, '10 M' 1e7)", 'set format y "%g"'])


# ---- a whole program ----
def overhead(rows):
    series, found = [], []
    for program, colour, left in (("cpu_kernel", BLUE, 0.91), ("memory_kernel", GREEN, 1.03)):
        for measure, dash, words, aside in (("wall", 1, "wall time", left), ("cpu", 2, "CPU of all processes", left * 1.06)):
            points = []
            for row in rows.curve("app", f"{program}_{measure}_enabled_collector"):
                base = [other for other in rows.curve("app", f"{program}_{measure}_compiled_out") if other.x == row.x]
                if base:
                    estimate = statistics.relative_difference(row.samples, base[0].samples)
                    points.append((row.x * aside, 100 * estimate.value, 100 * estimate.low, 100 * estimate.high))
                    found += [(row.x, estimate)] if measure == "wall" else []
            series.append(Series(f"{program.replace('_kernel', '')}-bound, {words}", points, colour, dash=dash))
    if not found:
        return None
    rates = sorted({x for x, _ in found})
    shown = [rate for rate in rates if rate <= 1e5][-1:] + [rates[-1]]
    told = []
    for rate in dict.fromkeys(shown):
        worst = max((estimate for x, estimate in found if x == rate), key=lambda estimate: estimate.value)
        told.append(f"{signed(worst.value)} ({signed(worst.low)} to {signed(worst.high)}) at {count(rate)} events a second")
    noisy = max(estimate.high - estimate.low for x, estimate in found if x in shown) > 0.2
    title = ("Too noisy here to tell what telemetry adds to the wall time: " if noisy else "Telemetry and its collector change the wall time by ") + ", ".join(told)
    return Plot("overhead", "app", title, doubtful=noisy,
                caption="Difference to the same program with telemetry compiled out, all cores busy and the collector sharing them; median over the rounds, and the "
                "95 % interval. Rounds in which an event was dropped are left out.",
                x_label="events a second, of all threads (logarithmic)", y_label="difference, %", series=series,
                settings=["set logscale x", f"set xrange [{rates[0] / 1.6:g}:{rates[-1] * 1.6:g}]", "set xtics ('1 k' 1e3, '10 k' 1e4, '100 k' 1e5, '1 M' 1e6, '10 M' 1e7)", "set xzeroaxis lc rgb '#444444' lt 1"])


# ---- the drain's policy ----
def policy(rows):
    """How long the drain sleeps between two passes; woken by a ring that is half full."""
    at = {"events_per_s": "1000000"}
    worker, cpu = rows.curve("drain", "policy_sleep_worker", **at), rows.curve("drain", "policy_sleep_collector", **at)
    sleeps = sorted({row.x for row in worker})
    if len(sleeps) < 2:
        return None
    series = [Series("a scope, in the worker (left)", policy_points(worker, sleeps), BLUE),
              Series("the collector's CPU (right)", policy_points(cpu, sleeps), ORANGE, right=True)]
    never, best = series[0].points[0][1], min(series[0].points, key=lambda point: point[1])
    burnt = series[1].points[0][1]
    title = (f"A drain that never sleeps makes a scope cost {amount(never, 'ns')} and takes {digits(burnt)} % of a core; one that sleeps "
             f"{rounded(1e3 * sleeps[int(best[0])], 'ns')} between passes leaves it at {amount(best[1], 'ns')} and takes {digits(series[1].points[int(best[0])][1])} %")
    ticks = ", ".join(f'"{rounded(1e3 * sleep, "ns") if sleep else "never sleeps"}" {i}' for i, sleep in enumerate(sleeps))
    top = max(point[3] for point in series[0].points)
    return Plot("drain-policy", "drain", title,
                "What the worker pays for a scope, and the collector in all, at 1,000,000 events a second, by how long the drain sleeps between two passes (a ring that "
                "is half full wakes it). The bars span the 10th to the 90th percentile.",
                "sleep between two passes", "ns a scope", series,
                [f"set xtics ({ticks})", f"set xrange [-0.4:{len(sleeps) - 0.6}]", f"set yrange [0:{top * 1.15:g}]", "set border 11 lc rgb '#666666'", "set rmargin 11",
                 "set y2label 'CPU, % of one core'", "set y2range [0:*]", "set y2tics nomirror out textcolor rgb '#333333'"])


def policy_points(curve, sleeps):
    """Evenly spaced, one a sleep: woken where that was measured."""
    points = {}
    for row in curve:
        if row.x not in points or row.labels.get("wake") == "half_full":
            points[row.x] = (sleeps.index(row.x), *spread(row.samples))
    return sorted(points.values())


def make_all(run):
    rows = run.rows
    made = (overhead(rows), cost(rows), distribution(rows), scale(rows, run.machine.get("cores", 1)), collector(rows), policy(rows), loss(rows))
    found = [plot for plot in made if plot]
    for plot in found:
        plot.footer = f"{machine.short(run.machine)}, {run.day}{', quick run' if run.quick else ''}"
    return found


def draw_all(run, directory):
    """Returns what was drawn, and what to say about what was not."""
    if not gnuplot.available():
        return [], "gnuplot is not installed, so there are no plots; the tables and CSV files hold the same figures"
    drawn, complaints = [], []
    for plot in make_all(run):
        trouble = gnuplot.draw(plot, directory)
        if trouble:
            complaints.append(f"gnuplot could not draw {plot.name}: {trouble}")
        else:
            drawn.append(plot)
    return drawn, "; ".join(complaints)
