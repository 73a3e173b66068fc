# SPDX-License-Identifier: MIT
"""What a person reads. In: a run. Out: tables for the terminal and report.md, the same in both; the app part first."""
import re

from . import machine as machines
from . import statistics, targets
from .parts import PARTS
from .progress import duration
from .tables import Table, amount, between, signed

MODES = (("disabled", "disabled"), ("enabled_no_collector", "no collector"), ("enabled_collector", "with collector"))


def targets_table(run, measured_only=True):
    table = Table(["target", "limit", "here", "95 % of it", ""])
    for verdict in targets.verdicts(run):
        if verdict.figure or not measured_only:
            table.add(verdict.what, verdict.limit, verdict.figure or "-", verdict.range, verdict.word)
    return table


def app_table(run):
    """Differences to the program with telemetry compiled out, round by round."""
    table = Table(["program", "events/s", "telemetry", "wall time", "95 % of it", "CPU of all"])
    for program in dict.fromkeys(row.labels.get("program", row.case) for row in run.rows.of("app")):
        rates = dict.fromkeys(row.x for row in run.rows.of("app") if row.labels.get("program") == program)
        for x in rates:
            for mode, word in MODES:
                cells = app_cells(run.rows, program, x, mode)
                if cells:
                    table.add(program.replace("_", " "), f"{x:g}" if x else "", word, *cells)
    return table


def app_cells(rows, program, x, mode):
    def difference(measure):
        found = {kind: [row for row in rows.every("app", f"{program}_{measure}_{kind}") if row.x == x] for kind in (mode, "compiled_out")}
        if not all(found.values()):
            return None
        return statistics.relative_difference(found[mode][0].samples, found["compiled_out"][0].samples)
    wall, cpu = difference("wall"), difference("cpu")
    if wall is None or cpu is None:
        return None
    return signed(wall.value), between(wall, signed), signed(cpu.value)


def peers_table(run):
    """A peer's cost, its loss beside it, and the CPU of all its processes."""
    rows = run.rows
    table = Table(["peer", "a call", "x scope", "flat out", "lost", "all CPU"])
    ours = rows.one("peers", "gb_scope")
    for row in rows.of("peers"):
        if row.measured and row.unit == "ns" and row.x is None and not row.labels:
            value = statistics.median(row.samples)
            flat, lost = rows.one("peers", row.case + "_flat_out"), rows.one("peers", row.case + "_flat_out_lost")
            whole = rows.curve("peers", row.case + "_all_processes")
            table.add(row.case.replace("_", " "), amount(value, "ns"),
                      targets.times(value / statistics.median(ours.samples)) if ours else "-",
                      amount(statistics.median(flat.samples), "ns") if flat else "-",
                      amount(statistics.median(lost.samples), "share") if lost else "-",
                      amount(statistics.median(whole[-1].samples), "ns") + f" at {whole[-1].x:g}/s" if whole else "-")
    return table


def plain_table(run, part):
    """Every row of a part."""
    table = Table(["case", "p10", "median", "95 % of median", "x floor"])
    for row in run.rows.of(part):
        if not row.measured:
            continue
        if row.quantiles:
            table.add(row.name + " (p50, p99, largest)", *(amount(row.quantile(q), row.unit) for q in (0.5, 0.99, 1)), "")
            continue
        floor = run.rows.floor_of(row)
        ratio = statistics.over(statistics.lower_decile(row.samples), statistics.lower_decile(floor.samples)) if floor else None
        many = len(row.samples) > 1
        middle = statistics.estimate(row.samples, statistics.median)
        table.add(row.name, amount(statistics.lower_decile(row.samples), row.unit) if many else "", amount(middle.value, row.unit),
                  between(middle, lambda value: amount(value, row.unit)) if many else "", f"{ratio:.2f}" if ratio else "")
    return table


def tables_of(run, part):
    """(heading, table) of a part; the terminal shows the first only."""
    if part == "app":
        yield "Difference to the same program with telemetry compiled out, medians over the rounds", app_table(run)
    elif part == "peers":
        yield ("ns a call, and how many of our scopes it would pay; the same called as fast as it goes; the share that it lost then; "
               "the CPU of all its processes for a call"), peers_table(run)
    yield "All figures", plain_table(run, part)


def skipped(run, part):
    for row in run.rows.of(part):
        if row.skipped:
            yield f"Skipped: {row.name}: {row.skipped}"


def summary_line(run):
    verdicts = [verdict for verdict in targets.verdicts(run) if verdict.figure]
    missed = [verdict.what for verdict in verdicts if not verdict.met]
    if not verdicts:
        return "No target was measured."
    line = f"{len(verdicts) - len(missed)} of {len(verdicts)} targets met"
    return line + (": missed are " + "; ".join(missed) + "." if missed else ".")


def terminal(run):
    """The lines that are printed."""
    lines = [f"gb-telemetry bench, {run.made.replace('T', ' ')}{', quick' if run.quick else ''}", machines.short(run.machine), ""]
    lines += [f"Warning: {warning}" for warning in run.warnings] + ([""] if run.warnings else [])
    for part in PARTS:
        if not run.rows.of(part.name):
            continue
        lines += [f"== {part.name}: {part.what}", ""]
        for heading, table in tables_of(run, part.name):
            if table.rows:
                lines += table.text() + [""]
                break
        lines += list(skipped(run, part.name)) + [""]
    table = targets_table(run)
    if table.rows:
        lines += ["== targets", ""] + table.text() + [""]
    lines += [summary_line(run)]
    return lines


def method(root):
    """The section of bench/README.md, so that it is told in one place."""
    text = (root / "bench/README.md").read_text()
    found = re.search(r"^## Method\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1).strip() if found else ""


def markdown(run, root, plots, compared=()):
    """report.md. plots: name -> Plot with title, part and caption; without files where gnuplot is missing."""
    lines = ["# What gb-telemetry costs", "",
             f"{run.made.replace('T', ' ')}, {machines.short(run.machine)}{', quick run' if run.quick else ''}. {summary_line(run)}", ""]
    if run.interrupted:
        lines += [f"**Interrupted in {run.interrupted}: what was measured until then.**", ""]
    lines += [f"- Warning: {warning}" for warning in run.warnings] + ([""] if run.warnings else [])
    if not plots:
        lines += ["*No plots: gnuplot is not installed. The tables and CSV files hold the same figures.*", ""]
    for part in PARTS:
        if run.rows.of(part.name):
            lines += section(run, part, [plot for plot in plots if plot.part == part.name])
    table = targets_table(run, measured_only=False)
    lines += ["## Targets", "", *table.markdown(), ""]
    if compared:
        lines += ["## Compared", "", "```", *compared, "```", ""]
    lines += ["## Method", "", method(root), "", "## Machine", ""]
    facts = Table(["what", "value"], right=False)
    for what, value in machines.lines(run.machine):
        facts.add(what, value)
    lines += facts.markdown()
    return "\n".join(lines) + "\n"


def section(run, part, plots):
    took = run.seconds.get(part.name)
    lines = [f"## {part.name}: {part.what}", ""] + ([f"Took {duration(took)}.", ""] if took else [])
    for plot in plots:
        lines += [f"![{plot.title}]({plot.name}.svg)", "", plot.caption, ""]
    for heading, table in tables_of(run, part.name):
        if table.rows:
            lines += [heading + ":", "", *table.markdown(), ""]
    notes = dict.fromkeys(f"- {row.case.replace('_', ' ')}: {row.note}" for row in run.rows.of(part.name) if row.note and not row.skipped)
    if notes:
        lines += ["Notes:", "", *notes, ""]
    left_out = list(skipped(run, part.name))
    return lines + [f"- {line}" for line in left_out] + ([""] if left_out else [])
