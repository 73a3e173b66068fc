# SPDX-License-Identifier: MIT
"""The tables of each part. In: the rows of a run. Out: (heading, table) pairs, and one table that holds every row."""
from . import statistics
from .tables import Table, amount, between, count, digits, share, signed

MODES = (("disabled", "disabled"), ("enabled_no_collector", "no collector"), ("enabled_collector", "with collector"))
CAUSES = ("page_fault", "wake", "preempted", "other")
ALL = "All figures"


def p10(row):
    return statistics.lower_decile(row.samples)


def median(row):
    return statistics.median(row.samples)


def ns(value):
    return amount(value, "ns")


def words(case):
    return case.replace("_", " ")


def middle(row):
    """Of a row that may be missing."""
    return amount(median(row), row.unit) if row and row.samples else ""


# ---- app ----
def app(rows):
    """Differences to the program with telemetry compiled out, round by round."""
    table = Table(["program, events/s", "telemetry", "wall, %", "95 % of it", "CPU, %", "95 % of it"])
    every = rows.of("app")
    for program in dict.fromkeys(row.labels.get("program", row.case) for row in every):
        for x in dict.fromkeys(row.x for row in every if row.labels.get("program") == program):
            for mode, said in MODES:
                if cells := app_cells(rows, program, x, mode):
                    table.add(words(program) + (f", {count(x)}" if x else ""), said, *cells)
    yield ("Difference to the same program with telemetry compiled out, medians of the rounds' differences; CPU is that of worker and "
           "collector together"), table


def percent(value):
    """A difference without its unit, which the head of the column has."""
    return signed(value).removesuffix(" %")


def app_cells(rows, program, x, mode):
    wall, cpu = (app_difference(rows, f"{program}_{measure}", x, mode) for measure in ("wall", "cpu"))
    if wall is None or cpu is None:
        return None
    return percent(wall.value), between(wall, percent), percent(cpu.value), between(cpu, percent)


def app_difference(rows, case, x, mode):
    found = [[row for row in rows.every("app", f"{case}_{kind}") if row.x == x] for kind in (mode, "compiled_out")]
    return statistics.relative_difference(found[0][0].samples, found[1][0].samples) if all(found) else None


# ---- emit ----
def emit(rows):
    table = Table(["call", "p10", "median", "x floor", "greedy", "no coll.", "instructions"])
    for row in rows.every("emit", None, collector="lazy"):
        floor = rows.floor_of(row)
        other = [rows.one("emit", row.case, collector=collector) for collector in ("greedy", "none")]
        counted = rows.one("emit", row.case + "_instructions")
        table.add(words(row.case), ns(p10(row)), ns(median(row)), f"{p10(row) / p10(floor):.2f}" if floor else "",
                  *(middle(one) for one in other), digits(median(counted)) if counted else "")
    rate = rows.one("emit", "clock_rate")
    yield ("A call with a collector that drains lazily; beside it the median with one that chases the tail, and with none. "
           "x floor: lower decile over that of the clock reads that the call needs"
           + (f". 1 ns is {digits(median(rate))} cycles of the clock register (TSC)" if rate else "")), table
    yield "Single calls that took long, and why", tail(rows)
    others = Table(["case", "p10", "median", "x floor"])
    for row in rows.of("emit"):
        if row.measured and row.samples and row.labels.keys() <= {"overflow"} and row.unit == "ns":
            floor = rows.floor_of(row)
            others.add(row.name, ns(p10(row)), ns(median(row)), f"{p10(row) / p10(floor):.2f}" if floor else "")
    yield "Cold, full, first", others


def tail(rows):
    table = Table(["call", "above", "any cause", *map(words, CAUSES)])
    for load in ("burst", "paced"):
        for what in ("floor", "scope"):
            for limit in ("1", "10"):
                found = [rows.one("emit", f"{what}_over_{limit}_us", load=load, cause=cause) for cause in ("any", *CAUSES)]
                if found[0]:
                    table.add(f"{what}, {load}", f"{limit} µs", *(share(median(row)) if row else "" for row in found))
    return table


# ---- peers ----
def peers(rows):
    """A peer's cost, its loss beside it, and the CPU of all its processes."""
    table = Table(["peer", "a call", "x scope", "flat out", "lost", "all CPU"])
    ours = rows.one("peers", "gb_scope")
    for row in rows.of("peers"):
        if row.measured and row.unit == "ns" and row.x is None and not row.labels:
            flat, lost = (rows.one("peers", row.case + ending) for ending in ("_flat_out", "_flat_out_lost"))
            whole = rows.curve("peers", row.case + "_all_processes")
            table.add(words(row.case), ns(median(row)), f"{median(row) / median(ours):.3g}" if ours else "", middle(flat), middle(lost),
                      f"{middle(whole[-1])} at {count(whole[-1].x)}/s" if whole else "")
    yield ("A call, and how many of our scopes that is; the same called as fast as it goes, and the share of the events that it lost then; "
           "the CPU of all its threads and processes for a call at a steady rate"), table


# ---- scale ----
def scale(rows):
    table = Table(["workers", "scope p10", "median", "x floor", "cores"])
    for kind in ("threads", "processes"):
        for row in rows.curve("scale", f"scope_{kind}"):
            floor = rows.floor_of(row)
            table.add(f"{row.x:g} {kind}", ns(p10(row)), ns(median(row)), f"{p10(row) / p10(floor):.2f}" if floor else "",
                      row.labels.get("cores", ""))
    yield "CPU time of a call on its own thread", table
    crowd = Table(["crowd", "a scope", "collector, an event", "all, from start to end"])
    for kind in ("threads", "processes"):
        for row in rows.curve("scale", f"crowd_{kind}_scope"):
            beside = [rows.one("scale", f"crowd_{kind}_{what}") for what in ("collector", "wall")]
            crowd.add(f"{row.x:g} {kind}", middle(row), *(middle(one) for one in beside))
    yield "Many at once", crowd
    memory = Table(["threads", "segment", "a thread's share", "resident, private"])
    private = {row.x: row for row in rows.curve("scale", "memory_private")}
    for row in rows.curve("scale", "memory_shared"):
        memory.add(f"{row.x:g}", middle(row), amount(median(row) / row.x, "bytes"), middle(private.get(row.x)))
    yield "Memory of a process", memory


# ---- drain ----
def drain(rows):
    stages = Table(["records", "drain alone", "decode alone", "both, and hand-over"])
    for row in rows.every("drain", "drain_alone"):
        kind = row.labels.get("events")
        both = [rows.one("drain", case, events=kind) for case in ("decode_alone", "drain_and_decode")]
        stages.add(words(kind or ""), ns(p10(row)), *(ns(p10(one)) if one else "" for one in both))
    yield "Time of a record by stage, lower decile", stages
    reporters = Table(["reporter", "records", "the reporter", "the whole collector"])
    for row in rows.of("drain"):
        if row.case.startswith("reporter_") and row.measured:
            whole = rows.one("drain", row.case.replace("reporter_", "drain_decode_"), **row.labels)
            name = row.case.removeprefix("reporter_")
            options = words(row.labels.get("options", "default"))
            reporters.add(name if options in ("default", name) else f"{name}, {options}", words(row.labels.get("events", "")),
                          middle(row), middle(whole))
    yield "CPU of a record by reporter, median", reporters
    yield "The collector's CPU, one core being 100 %", load(rows)
    memory = Table(["running, at 1 M events/s", "resident, the rings included"])
    for row in rows.curve("drain", "collector_rss"):
        memory.add(f"{row.x:g} s", middle(row))
    yield "The collector's memory over time", memory
    threads = Table(["64 rings", "reporter", "records/s", "CPU a record"])
    for row in rows.curve("drain", "threads_rate"):
        cpu = [one for one in rows.every("drain", "threads_cpu", **row.labels) if one.x == row.x]
        threads.add(f"{row.x:g} drain thread{'' if row.x == 1 else 's'}", row.labels.get("reporter", ""), middle(row),
                    middle(cpu[0]) if cpu else "")
    yield "Would several drain threads take more?", threads
    yield ("What the drain's policy costs, at a steady rate, medians; a scope: mean of groups of 32 without the slowest 1 % of them, which "
           "hold preemptions and wakes"), policy(rows)


def reached(rows):
    """(row, events a second that the worker came to, CPU ns an event) by rate: on a busy machine it comes to less than it was told."""
    each = {row.x: row for row in rows.curve("drain", "collector_cpu_per_event")}
    for row in rows.curve("drain", "collector_cpu"):
        ns_each = median(each[row.x]) if row.x in each else 0
        rate = median(row) / 100 / ns_each * 1e9 if ns_each else row.x
        yield row, rate if abs(rate / row.x - 1) > 0.03 else row.x, ns_each or median(row) / 100 / row.x * 1e9


def load(rows):
    table = Table(["load", "reached", "collector", "an event"])
    for row in rows.curve("drain", "collector_cpu_idle"):
        table.add(f"idle, {row.x:g} workers", "", middle(row), "")
    for row, rate, ns_each in reached(rows):
        table.add(f"{count(row.x)} events/s", amount(rate, "events/s"), middle(row), amount(ns_each, "cpu_ns"))
    return table


def policy(rows):
    table = Table(["what is varied", "woken", "events/s", "a scope", "collector", "lost"])
    for row in rows.of("drain"):
        if row.case.startswith("policy_") and row.case.endswith("_worker") and row.measured:
            base = row.case.removesuffix("_worker")
            beside = [[other for other in rows.every("drain", f"{base}_{what}", **row.labels) if other.x == row.x]
                      for what in ("collector", "lost")]
            table.add(f"{words(row.x_name)} {row.x:g}", words(row.labels.get("wake", "")),
                      count(float(row.labels.get("events_per_s", 0))), middle(row), *(middle(found[0]) if found else "" for found in beside))
    return table


# ---- latency, loss ----
def latency(rows):
    table = Table(["reporter", "events/s", "p50", "p90", "p99", "largest"])
    for row in rows.curve("latency", "latency"):
        if row.quantiles:
            table.add(row.labels.get("reporter", ""), count(row.x), *(ns(row.quantile(q)) for q in (0.5, 0.9, 0.99, 1)))
    table.rows.sort(key=lambda cells: cells[0])
    yield "From the end of a scope to the reporter's output", table
    beside = Table(["a live reporter beside", "p50", "p99", "missing", "lost by the other"])
    for row in rows.every("latency", "live_p50"):
        name = row.labels.get("beside")
        others = [rows.one("latency", case, beside=name) for case in ("live_p99", "live_missing", "dead_lost")]
        beside.add(words(name or ""), middle(row), *(middle(one) for one in others))
    yield "One that is dead delays nobody", beside


def reached_of(rows, row):
    """The rate at which a share was lost: on a busy machine the worker comes to less than it was told."""
    found = [other for other in rows.every("loss", "reached_rate", **row.labels) if other.x == row.x]
    return median(found[0]) if found else row.x


def loss(rows):
    highest = Table(["ring of a thread", "reporter", "highest rate"])
    for row in rows.curve("loss", "highest_rate"):
        highest.add(amount(row.x, "bytes"), row.labels.get("reporter", ""), middle(row))
    yield "The highest steady rate without a drop", highest
    lost = Table(["events/s, asked for", "reached", "ring of a thread", "reporter", "lost"])
    for row in rows.curve("loss", "lost_share"):
        lost.add(count(row.x), amount(reached_of(rows, row), "events/s"), amount(float(row.labels.get("ring_bytes", 0)), "bytes"), row.labels.get("reporter", ""), middle(row))
    yield "What is lost above it", lost


# ---- every row ----
def everything(rows, part):
    table = Table(["case", "p10", "median", "95 % of median", "x floor"])
    for row in rows.of(part):
        if not row.measured:
            continue
        if row.quantiles:
            table.add(row.name + " (p50, p99, largest)", *(amount(row.quantile(q), row.unit) for q in (0.5, 0.99, 1)), "")
            continue
        floor = rows.floor_of(row)
        ratio = statistics.over(p10(row), p10(floor)) if floor else None
        many = len(row.samples) > 1
        estimate = statistics.estimate(row.samples, statistics.median)
        table.add(row.name, amount(p10(row), row.unit) if many else "", amount(estimate.value, row.unit),
                  between(estimate, lambda value: amount(value, row.unit)) if many else "", f"{ratio:.2f}" if ratio else "")
    return table


TABLES = {"app": app, "emit": emit, "peers": peers, "scale": scale, "drain": drain, "latency": latency, "loss": loss}


def of_part(rows, part):
    """Those that hold something. A part that this driver has no table for shows every row."""
    found = [(heading, table) for heading, table in TABLES[part](rows) if table.rows] if part in TABLES else []
    return found or [(ALL, everything(rows, part))]
