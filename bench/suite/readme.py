# SPDX-License-Identifier: MIT
"""The README's figures. In: a run. Out: the lines between the two marks of README.md, and two plots in docs/bench/."""
import re

from . import gnuplot, machine, plots, statistics
from .part_tables import reached
from .tables import Table, amount, digits

BEGIN, END = "<!-- bench: begin (./run bench --readme) -->", "<!-- bench: end -->"
SHOWN = ("cost", "overhead", "scale")  # the first two that are not doubtful
ROWS = (("floor_two_clock_reads", "two clock reads (the floor of a scope)"),
        ("floor_one_clock_read", "one clock read (the floor of a metric)"),
        ("scope_disabled", "`GB_SCOPE`, disabled"), ("scope", "`GB_SCOPE`"), ("scope_3_attributes", "`GB_SCOPE` with 3 numbers"),
        ("scope_8_attributes", "`GB_SCOPE` with 8 numbers"), ("scope_text", "`GB_SCOPE` with a short text"),
        ("nested_16", "scopes nested 16 deep, each"), ("counter", "`GB_COUNT`"), ("gauge", "`GB_GAUGE`"),
        ("span", "`GB_BEGIN` and `gb_end`"))


class ReadmeError(Exception):
    pass


def table(rows):
    made = Table(["call", "lower decile", "median", "ratio to the clock reads that it needs"])
    for case, words in ROWS:
        row = rows.one("emit", case, collector="lazy")
        if row:
            floor = rows.floor_of(row)
            low = statistics.lower_decile(row.samples)
            made.add(words, amount(low, "ns"), amount(statistics.median(row.samples), "ns"),
                     f"{low / statistics.lower_decile(floor.samples):.2f}" if floor else "")
    return made


def collector(rows):
    """What the other process takes, in a sentence."""
    each, highest = list(reached(rows)), rows.curve("loss", "highest_rate", reporter="summary")
    default = [row for row in highest if row.x == 2 ** 20]
    if each:
        yield (f"The collector takes {amount(each[-1][2], 'ns')} of CPU an event into `summary`, at "
               f"{digits(each[-1][1] / 1e6)} million events a second, on another core.")
    if default:
        yield f"Up to {amount(statistics.median(default[0].samples), 'events/s')} reach it without a drop (rings of 1 MiB)."


def text(run, drawn):
    lines = [BEGIN, "",
             f"{machine.short(run.machine)}, {run.machine.get('compiler', '?')}, clock source {run.machine.get('clock_source')}; "
             f"{run.day}{', a quick run' if run.quick else ''}."]
    if any("other programs" in warning for warning in run.warnings):
        lines += ["Other programs used the cores meanwhile, so these figures are too high."]
    elif any("busy before" in warning for warning in run.warnings):
        lines += ["The machine was busy before the start, so these figures may be too high."]
    lines += ["", *table(run.rows).markdown(), "", *collector(run.rows), ""]
    for plot in drawn:
        lines += [f"![{plot.title}](docs/bench/{plot.name}.svg)", "", f"*{plot.caption}*", ""]
    return "\n".join(lines + [END])


def update(run, root):
    if not run.rows.of("emit"):
        raise ReadmeError("--readme needs the part emit in the run")
    target = root / "docs/bench"
    target.mkdir(parents=True, exist_ok=True)
    drawn = [plot for plot in plots.make_all(run) if plot.name in SHOWN and not plot.doubtful]
    drawn = sorted(drawn, key=lambda plot: SHOWN.index(plot.name))[:2]
    for old in target.glob("*.svg"):
        old.unlink()
    if not gnuplot.available():
        raise ReadmeError("--readme needs gnuplot")
    for plot in drawn:
        trouble = gnuplot.draw(plot, target)
        if trouble:
            raise ReadmeError(f"gnuplot could not draw {plot.name}: {trouble}")
        for ending in ("png", "gp"):
            (target / f"{plot.name}.{ending}").unlink()
    path = root / "README.md"
    old = path.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(old):
        raise ReadmeError(f"README.md lacks the lines {BEGIN} and {END}")
    path.write_text(pattern.sub(lambda _: text(run, drawn), old))
