# SPDX-License-Identifier: MIT
"""What the project wants to reach, as one table. In: the rows of a run. Out: each target with its figure: met, missed or not measured.

A target names the limit, the row (or two of them, as a ratio) and the figure that is judged.
"""
from dataclasses import dataclass

from . import statistics
from .attempts import tried
from .tables import amount, digits, share, signed

DRAINING = {"collector": "lazy"}


@dataclass
class Verdict:
    what: str
    limit: str
    figure: str  # "" : not measured
    range: str
    met: bool
    tried: str  # what was done to reach it; the report shows it beside a miss

    @property
    def word(self):
        return "not measured" if not self.figure else "met" if self.met else "MISSED"


def at_most(value, limit):
    return value <= limit


def at_least(value, limit):
    return value >= limit


def judged(what, sign, limit, show, estimate, unit=""):
    met = at_most if sign == "<=" else at_least
    shown = f"{sign} {unit or show(limit)}"
    if estimate is None:
        return Verdict(what, shown, "", "", False, tried(what))
    interval = f"{show(estimate.low)} … {show(estimate.high)}" if estimate.count > 1 else ""
    return Verdict(what, shown, show(estimate.value), interval, met(estimate.value, limit), tried(what))


def times(value):
    return f"{value:.2f} x" if value < 10 else f"{digits(value)} x"


def figure(row, statistic=None):
    if row is None or not row.samples:
        return None
    return statistics.estimate(row.samples, statistic or statistics.judged_by(row.unit, len(row.samples))[1])


def ratio(row, base, statistic=statistics.lower_decile):
    if row is None or base is None or not row.samples or not base.samples:
        return None
    return statistics.ratio(row.samples, base.samples, statistic)


def floor_ratio(rows, case, statistic=statistics.lower_decile):
    row = rows.one("emit", case, **DRAINING)
    return ratio(row, rows.floor_of(row), statistic) if row else None


def upper(samples):
    return statistics.quantile(samples, 0.9)


def emit(rows):
    yield judged("scope / two clock reads, quiet", "<=", 1.10, times, floor_ratio(rows, "scope"))
    yield judged("scope / two clock reads, noisy (p90 of both)", "<=", 1.40, times, floor_ratio(rows, "scope", upper))
    yield judged("scope, 3 attributes / two clock reads", "<=", 1.25, times, floor_ratio(rows, "scope_3_attributes"))
    yield judged("counter / one clock read", "<=", 1.30, times, floor_ratio(rows, "counter"))
    yield judged("gauge / one clock read", "<=", 1.30, times, floor_ratio(rows, "gauge"))
    yield judged("instructions of a scope", "<=", 100, digits, figure(rows.one("emit", "scope_instructions")))
    yield judged("disabled call", "<=", 0.7, ns, figure(rows.one("emit", "scope_disabled", **DRAINING)))
    for load, words in (("paced", "steady load"), ("burst", "bursts from idle")):
        yield judged(f"scopes above 1 µs, {words}, but for preemption", "<=", 1e-4, share, over_1_us(rows, load))
    for case, what, limit in (("first_event_of_process", "first event of a process", 1e6),
                              ("first_event_of_thread_new_ring", "first event of a thread, new ring", 7e5),
                              ("first_event_of_thread_pooled_ring", "first event of a thread, pooled ring", 5e3)):
        yield judged(what, "<=", limit, ns, figure(rows.one("emit", case), statistics.median))


def ns(value):
    return amount(value, "ns")


def over_1_us(rows, load):
    """Page faults, wakes, misses and all else that took long; but no call in whose middle the thread lost its core."""
    row, preempted = (rows.one("emit", "scope_over_1_us", cause=cause, load=load) for cause in ("any", "preempted"))
    if row is None:
        return None
    value = statistics.median(row.samples) - (statistics.median(preempted.samples) if preempted else 0)
    return statistics.Estimate(value, value, value, 1)


def scale(rows, cores):
    most = max(2, cores - 1)  # one core is the collector's; two cores: both workers share theirs with it, as one alone shows nothing
    for case in ("threads", "processes"):
        what = f"a call's cost with {most} {case} / with one"
        curve = rows.curve("scale", f"scope_{case}")
        last = [row for row in curve if row.x <= most]
        yield judged(what, "<=", 1.10, times, ratio(last[-1], curve[0], statistics.median) if len(last) > 1 else None)


def peers(rows):
    ours = rows.one("peers", "gb_scope")
    for case, what, least in (("lttng_ust_pair", "LTTng-UST, begin and end", 10), ("lttng_ust_event", "LTTng-UST, one event", 10),
                              ("ck_ring", "ck_ring", 1.5), ("statsd_udp", "StatsD over UDP", 100)):
        yield judged(f"{what} / a scope", ">=", least, times, ratio(rows.one("peers", case), ours, statistics.median))


def loss(rows):
    found = [row for row in rows.curve("loss", "highest_rate", reporter="summary") if row.x == 2 ** 20]
    yield judged("rate without a drop, default ring, into summary", ">=", 5e6, lambda value: amount(value, "events/s"),
                 figure(found[0], statistics.median) if found else None)


STAGES = (("drain_decode_summary", "default", "drain + decode + summary", 40), ("reporter_log", "json", "log, JSON", 300),
          ("reporter_sqlite", "default", "sqlite", 1800), ("reporter_statsd", "statsd", "statsd", 400),
          ("reporter_statsd", "datadog_raw", "statsd, each event on its own", 400), ("reporter_otlp", "metrics", "otlp, metrics", 400),
          ("reporter_otlp", "metrics_traces", "otlp, metrics and spans", 400))


def drain(rows):
    for case, options, what, limit in STAGES:
        row = rows.one("drain", case, events="timing", options=options)
        yield judged(f"collector, a record: {what}", "<=", limit, ns, figure(row))


def app(rows):
    on, base = (rows.one("app", f"batch_worker_wall_{mode}") for mode in ("enabled_collector", "compiled_out"))
    estimate = statistics.relative_difference(on.samples, base.samples) if on and base else None
    yield judged("demo worker's wall time, on / compiled out", "<=", 0.01, signed, estimate)


def verdicts(run):
    """All of them, in the order of the design."""
    rows = run.rows
    yield from app(rows)
    yield from emit(rows)
    yield from scale(rows, run.machine.get("cores", 1))
    yield from peers(rows)
    yield from loss(rows)
    yield from drain(rows)
