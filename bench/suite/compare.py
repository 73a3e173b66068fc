# SPDX-License-Identifier: MIT
"""Two runs against each other. In: the old and the new run. Out: every difference with its confidence interval, and which of them are
regressions: the whole 99 % interval lies on the worse side, and the change is larger than what two runs of the same program differ by."""
import textwrap
from dataclasses import dataclass

from . import statistics
from .tables import WIDTH, Table, amount, between, signed

# what two runs of the same program may differ by, beside what the samples show: by unit; times only as a ratio to their floor
TOLERANCE = {"instructions": 0.01, "ns": 0.05, "cpu_ns": 0.08}
OTHER_TOLERANCE = 0.10
# without a floor the machine's phases are in a time: two full runs of one program differed by up to 95 %
BARE_TOLERANCE = {"ns": 1.00, "cpu_ns": 1.00}
# a part of a core that others took is noise that no sample of the run shows: it differs between two runs, and within one it may not
LEAST_TAKEN = 0.05  # of the machine, by the kernel's own threads as well
LEAST_NS = 0.2  # where code happens to lie is worth as much


@dataclass
class Difference:
    row: object  # of the new run
    old_value: float
    new_value: float
    change: object  # Estimate, as a share; of the ratio to the floor where there is one
    verdict: str  # same, better, WORSE, "not judged"
    of_ratio: bool = False


def with_floor(rows, row):
    floor = rows.floor_of(row)
    return floor.samples if floor and row.unit in ("ns", "cpu_ns", "s") and floor.samples else None


def judge(change, better, tolerance):
    if better == "none":
        return "not judged"
    worse, improved = (change.low, change.high) if better == "lower" else (-change.high, -change.low)
    if worse > 0 and abs(change.value) > tolerance:
        return "WORSE"
    if improved < 0 and abs(change.value) > tolerance:
        return "better"
    return "same"


def taken(run, part):
    """The share of the machine that others took while a part ran."""
    share = run.taken.get(part, 0) / max(1, run.machine.get("cores", 1))
    return share if share > LEAST_TAKEN else 0


def difference(old_rows, old, new_rows, new, busy=0):
    """busy: what a time may differ by besides."""
    statistic = statistics.judged_by(new.unit, min(len(new.samples), len(old.samples)))[1]
    old_base, new_base = with_floor(old_rows, old), with_floor(new_rows, new)
    if old_base is None or new_base is None:
        old_base = new_base = None
    change = statistics.change((new.samples, new_base), (old.samples, old_base), statistic)
    tolerances = TOLERANCE if new_base or new.unit == "instructions" else BARE_TOLERANCE
    tolerance = tolerances.get(new.unit, OTHER_TOLERANCE) + (0 if new.unit == "instructions" else busy)
    values = statistic(old.samples), statistic(new.samples)
    if new.unit != "instructions" and change.count < statistics.FEW or is_floor(new_rows, new) or is_shown_only(new):
        verdict = "not judged"
    elif new.unit in ("ns", "cpu_ns") and abs(values[1] - values[0]) < LEAST_NS:
        verdict = "same"
    else:
        verdict = judge(change, new.better, tolerance)
    return Difference(new, *values, change, verdict, new_base is not None)


def is_floor(rows, row):
    """What others are measured by is the machine's, not the program's."""
    return any(other.floor == row.case and other.case != row.case for other in rows.of(row.part)) or row.case.startswith("floor")


def is_shown_only(row):
    """What a collector that chases the worker does to it has two states, by chance; and a part of the CPU is judged in its sum."""
    return row.labels.get("collector") == "greedy" or row.labels.get("measure") == "collector_cpu"


def differences(old, new):
    """Of all rows that both runs have. A distribution is compared by its median, and not judged."""
    before = {row.key: row for row in old.rows.all if row.measured}
    found = []
    for row in new.rows.all:
        other = before.get(row.key)
        if not row.measured or other is None or other.unit != row.unit:
            continue
        if row.samples and other.samples:
            found.append(difference(old.rows, other, new.rows, row, max(taken(old, row.part), taken(new, row.part))))
        elif row.quantiles and other.quantiles:
            a, b = other.quantile(0.5), row.quantile(0.5)
            value = statistics.over(b, a) - 1
            found.append(Difference(row, a, b, statistics.Estimate(value, value, value, 1), "not judged"))
    return found


def missing(old, new):
    """Measured then, and not now, although its part ran."""
    now = {row.key for row in new.rows.all if row.measured}
    ran = set(new.rows.parts())
    return [row for row in old.rows.all if row.measured and row.part in ran and row.key not in now]


def doubts(old, new):
    """Why the two may not be comparable."""
    for name, what in (("cpu", "CPU"), ("cores", "number of cores"), ("kernel", "kernel"), ("compiler", "compiler"),
                       ("virtualised", "virtualisation"), ("clock_source", "clock source")):
        if old.machine.get(name) != new.machine.get(name):
            yield f"another {what}: {old.machine.get(name)} then, {new.machine.get(name)} now"
    if old.quick != new.quick:
        yield "one of the runs is a quick one: its intervals are wide"
    for run, when in ((old, "the old run"), (new, "this run")):
        if run.interrupted:
            yield f"{when} was interrupted in {run.interrupted}"
        if busy := [f"{taken(run, part):.0%} of the machine in {part}" for part in run.rows.parts() if taken(run, part)]:
            yield f"others took {', '.join(busy)} during {when}: what is not counted in instructions may differ by as much more"


def table(found, every=False):
    """What changed; with every=True also what did not."""
    shown = Table(["case", "then", "now", "change", "99 % of it", ""])
    for item in found:
        if every or item.verdict in ("WORSE", "better"):
            shown.add(f"{item.row.part}: {item.row.name}", amount(item.old_value, item.row.unit), amount(item.new_value, item.row.unit),
                      signed(item.change.value) + ("*" if item.of_ratio else ""), between(item.change, signed), item.verdict)
    return shown


def compare(old, new, every=False):
    """The lines to print, and whether something became worse or nothing could be compared: who asked for a gate has none then."""
    found = differences(old, new)
    counts = {word: sum(item.verdict == word for item in found) for word in ("WORSE", "better", "same", "not judged")}
    lines = [f"Compared with the run of {old.made.replace('T', ' ')} ({old.machine.get('version') or 'version unknown'})", ""]
    lines += [line for doubt in doubts(old, new) for line in textwrap.wrap(f"Careful: {doubt}", WIDTH)]
    shown = table(found, every)
    if shown.rows:
        lines += shown.text() + ["", "* change of the ratio to the floor measured in turn with it", ""]
    gone = missing(old, new)
    if gone:
        lines += [f"Measured then, not now: {len(gone)}: " + "; ".join(row.name for row in gone[:5]) + (" …" if len(gone) > 5 else "")]
    if not found:
        lines += ["The two runs have no measurement in common."]
    lines += ["", f"{counts['WORSE']} worse, {counts['better']} better, {counts['same']} the same within noise, "
              f"{counts['not judged']} not judged (floors; single figures)"]
    return lines, counts["WORSE"] > 0 or not found
