# SPDX-License-Identifier: MIT
"""What a person reads. In: a run. Out: tables for the terminal and report.md, the same in both; the app part first."""
import re
import textwrap

from . import machine as machines
from . import part_tables, targets
from .parts import PARTS
from .progress import duration
from .tables import WIDTH, Table, count


def targets_table(run, measured_only=True):
    table = Table(["target", "limit", "here", "95 % of it", ""])
    for verdict in targets.verdicts(run):
        if verdict.figure or not measured_only:
            table.add(verdict.what, verdict.limit, verdict.figure or "-", verdict.range, verdict.word)
    return table


def misses(run):
    """Of each target that was missed, what was tried: (what, sentence); one line for those with the same sentence."""
    told = {}
    for verdict in targets.verdicts(run):
        if verdict.figure and not verdict.met:
            told.setdefault(verdict.tried, []).append(verdict.what)
    return [("; ".join(names), sentence) for sentence, names in told.items()]


def skipped(run, part):
    """One line a reason."""
    reasons = {}
    for row in run.rows.of(part):
        if row.skipped:
            point = f" at {row.x_name.replace('_', ' ')} {count(row.x)}" if row.x_name and row.x is not None else ""
            reasons.setdefault(row.skipped, []).append(row.case.replace("_", " ") + point)
    for reason, cases in reasons.items():
        cases = list(dict.fromkeys(cases))
        yield f"Skipped: {cases[0]}{f' and {len(cases) - 1} more' if len(cases) > 1 else ''}: {reason}"


def wrapped(text):
    return textwrap.wrap(text, WIDTH)


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
    if run.interrupted:
        lines += [f"Interrupted in {run.interrupted}: what was measured until then.", ""]
    for warning in run.warnings:
        lines += wrapped(f"Warning: {warning}")
    lines += [""] if run.warnings else []
    for part in PARTS:
        if not run.rows.of(part.name):
            continue
        lines += [*wrapped(f"== {part.name}: {part.what}"), ""]
        for heading, table in part_tables.of_part(run.rows, part.name):
            lines += wrapped(heading + ":") + table.text() + [""]
        left_out = [line for text in skipped(run, part.name) for line in wrapped(text)]
        lines += left_out + [""] if left_out else []
    table = targets_table(run)
    if table.rows:
        lines += ["== targets", ""] + table.text() + [""]
    lines += wrapped(summary_line(run))
    if misses(run):
        lines += wrapped("report.md says of each what was tried.")
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
    if missed := misses(run):
        lines += ["Missed, and what was tried (decisions: `docs/decisions.md`):", ""]
        lines += [f"- **{what}**: {sentence}." for what, sentence in missed] + [""]
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
    for heading, table in part_tables.of_part(run.rows, part.name):
        lines += [heading + ":", "", *table.markdown(), ""]
    everything = part_tables.everything(run.rows, part.name)
    lines += [f"<details><summary>All {len(everything.rows)} figures of this part</summary>", "", *everything.markdown(), "", "</details>", ""]
    notes = dict.fromkeys(f"- {row.case.replace('_', ' ')}: {row.note}" for row in run.rows.of(part.name)
                          if row.note and not row.skipped)
    if notes:
        lines += ["Notes:", "", *notes, ""]
    left_out = list(skipped(run, part.name))
    return lines + [f"- {line}" for line in left_out] + ([""] if left_out else [])
