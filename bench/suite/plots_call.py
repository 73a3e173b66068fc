# SPDX-License-Identifier: MIT
"""What a call costs the worker. In: the rows of the parts emit, peers and scale. Out: three plots: cost beside floor and peers, the
distribution of a scope's cost, cost against the number of threads and processes."""
from . import statistics
from .gnuplot import BLUE, GREEN, GREY, LIGHT, ORANGE, Plot, Series
from .tables import amount, digits, share

EMIT_BARS = (("floor_one_clock_read", "lazy", "floor: one clock read", GREY),
             ("floor_two_clock_reads", "lazy", "floor: two clock reads", GREY),
             ("scope_disabled", "lazy", "GB_SCOPE, disabled", BLUE),
             ("counter", "lazy", "GB_COUNT", BLUE),
             ("scope", "lazy", "GB_SCOPE", BLUE),
             ("scope_3_attributes", "lazy", "GB_SCOPE, 3 attributes", BLUE),
             ("scope", "greedy", "GB_SCOPE, a collector that chases it", LIGHT))
PEER_BARS = (("ck_ring", "ck_ring, drained by a process"), ("wfcqueue", "wfcqueue, drained by a thread"),
             ("pcp_mmv", "PCP MMV (aggregates only)"), ("lttng_ust_event", "LTTng-UST, one event"),
             ("lttng_ust_pair", "LTTng-UST, begin and end"), ("fprintf_json", "fprintf of a JSON line"),
             ("spdlog_async", "spdlog, asynchronous"), ("statsd_unix", "StatsD, unix socket"), ("statsd_udp", "StatsD, UDP"))


def spread(samples):
    """Median, and the range in which four of five lie."""
    return statistics.median(samples), statistics.lower_decile(samples), statistics.quantile(samples, 0.9)


def times(value):
    return f"{value:.2f}" if value < 3 else digits(value)


def over(row, base):
    return times(statistics.median(row.samples) / statistics.median(base.samples))


# ---- beside the floor and the peers ----
def bar(label, row, colour):
    value, low, high = spread(row.samples)
    calls = row.calls_per_sample * len(row.samples)
    lost = f", lost {share(row.drops / calls)}" if row.drops and calls else ""
    return label, value, low, high, colour, amount(value, "ns") + lost


def cost_title(rows, scope):
    title = f"A scope costs {amount(statistics.median(scope.samples), 'ns')}"
    if floor := rows.floor_of(scope):
        title += f", {over(scope, floor)} times the two clock reads in it"
    ours = rows.one("peers", "gb_scope")
    found = [f"{name} {over(row, ours)} times as long" for case, name in (("lttng_ust_pair", "with LTTng-UST"), ("statsd_udp", "with StatsD"))
             if ours and (row := rows.one("peers", case))]
    return title + ("; the same job takes " + ", ".join(found) if found else "")


def cost(rows):
    bars = [bar(label, row, colour) for case, collector, label, colour in EMIT_BARS
            if (row := rows.one("emit", case, collector=collector))]
    others = [bar(label, row, ORANGE) for case, label in PEER_BARS if (row := rows.one("peers", case))]
    scope = rows.one("emit", "scope", collector="lazy") or rows.one("peers", "gb_scope")
    if not scope or not bars + others:
        return None
    return Plot("cost", "emit" if bars else "peers", cost_title(rows, scope),
                "Median of all bursts; the line on a bar spans the range from the 10th to the 90th percentile. Logarithmic axis. Grey: "
                "what any measurement of a duration needs; blue: this library; orange: peers with the same payload.",
                "time of a call, ns (logarithmic)", bars=bars + sorted(others, key=lambda bar: bar[1]),
                height=180 + 26 * len(bars + others))


# ---- the tail ----
TAILS = (("scope_distribution", "burst", "a scope, in bursts", BLUE), ("scope_distribution", "paced", "a scope, at a steady rate", GREEN),
         ("floor_distribution", "burst", "two clock reads, in bursts", GREY),
         ("floor_distribution", "paced", "two clock reads, at a steady rate", LIGHT))
TIMES = ("'10 ns' 10, '30 ns' 30, '100 ns' 100, '300 ns' 300, '1 µs' 1e3, '3 µs' 3e3, '10 µs' 1e4, '30 µs' 3e4, '100 µs' 1e5, "
         "'1 ms' 1e6, '10 ms' 1e7")


def distribution(rows):
    series = []
    for case, load, name, colour in TAILS:
        row = rows.one("emit", case, load=load)
        if row and row.quantiles:
            series.append(Series(name, [(max(value, 1), 1 - q) for q, value in row.quantiles if q < 1], colour))
    row = rows.one("emit", "scope_distribution", load="burst") or rows.one("emit", "scope_distribution")
    if not row:
        return None
    title = f"In bursts 99 % of scopes end within {amount(row.quantile(0.99), 'ns')}, 99.99 % within {amount(row.quantile(0.9999), 'ns')}"
    if floor := rows.one("emit", "floor_distribution", load=row.labels.get("load")):
        title += f" (two clock reads alone: {amount(floor.quantile(0.9999), 'ns')})"
    return Plot("distribution", "emit", title,
                "How many of the single calls took longer than the time below; both axes logarithmic, so each line of the grid is a tenth "
                "of the calls. Every call holds one clock read more than in the other figures, its stamp.",
                "time of a single call (logarithmic)", "share of calls that took longer", series,
                ["set logscale xy", "set xrange [10:]", "set yrange [1e-6:1]", 'set format y "10^{%T}"', f"set xtics ({TIMES})"])


# ---- threads and processes ----
# beside each other, not on top of each other
CROWDS = (("scope_threads", "scope, threads", BLUE, 0.97), ("scope_processes", "scope, processes", GREEN, 1.03),
          ("floor_threads", "two clock reads, threads", GREY, 0.94), ("floor_processes", "two clock reads, processes", LIGHT, 1.06))


def farthest(curve):
    """By how much of the first point the others are away from it, at most."""
    first = statistics.median(curve[0].samples)
    return max(abs(statistics.median(row.samples) / first - 1) for row in curve)


def scale(rows, cores):
    curves = {case: rows.curve("scale", case) for case, *_ in CROWDS}
    ours = [curve for case, curve in curves.items() if case.startswith("scope") and curve]
    if not ours:
        return None
    series = [Series(name, [(row.x * aside, *spread(row.samples)) for row in curves[case]], colour)
              for case, name, colour, aside in CROWDS]
    away = max(farthest(curve) for curve in ours)
    most = max(curve[-1].x for curve in ours)
    top = max(point[3] for one in series for point in one.points)
    title = (f"From 1 to {most:.0f} threads or processes a scope's CPU time stays within {share(away)} of that of one" if away < 0.25
             else f"With up to {most:.0f} threads or processes a scope's CPU time differs by up to {share(away)} from that of one")
    return Plot("scale", "scale", title,
                "CPU time of a call on its own thread; the bars span the 10th to the 90th percentile. The machine has "
                f"{cores} core{'' if cores == 1 else 's'} (dashed line), one of them shared with the collector: to its right threads take turns.",
                "threads or processes", "CPU time of a call, ns", series,
                ["set logscale x 2", "set xtics (" + ", ".join(f"{2 ** i}" for i in range(int(most).bit_length())) + ")",
                 f"set xrange [0.8:{most * 1.25:g}]", f"set yrange [0:{top * 1.2:g}]",
                 f"set arrow 1 from {cores},graph 0 to {cores},graph 1 nohead dt 2 lc rgb '#888888'",
                 f"set label 1 '{cores} cores' at {cores},graph 0.04 offset 0.6,0 textcolor rgb '#888888'"])
