# SPDX-License-Identifier: MIT
"""./run bench. In: the command line. Out: bench/out/<time>/ with report.md, results.json, CSV and plots; tables on stdout, progress on
stderr. Exit status: 0, 1 failure or a regression with --compare, 2 usage, 130 interrupted."""
import argparse
import datetime
import errno
import os
import signal
import sys
import time
from pathlib import Path

from . import compare, machine, noise, plots, readme, report, store
from .build import BuildError, build, packages
from .parts import NAMES, PARTS
from .progress import Progress
from .runner import Runner
from .rows import Row

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130

USAGE = """usage: ./run bench [PART...] [OPTION...]

Builds optimised (build-bench/), measures, and writes bench/out/<time>/ with report.md, results.json, CSV and plots.
The method: bench/README.md.

parts (all, when none is named):
{parts}

  --quick          a few seconds a part: shows that it works, its figures are rough
  --compare FILE   the results.json of an older run: prints what differs, and exits 1 when something is worse
                   beyond noise
  --from FILE      measures nothing: makes report and plots anew from a results.json
  --readme         puts the table and two plots of this run into README.md and docs/bench/
  --list           the parts and how long they take
  --help           this text"""


class UsageError(Exception):
    pass


class OutputError(Exception):
    """Standard output takes nothing."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(message)


def parts_text():
    return "\n".join(f"  {part.name:<9}{part.what}" for part in PARTS)


def parse(arguments):
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("parts", nargs="*")
    for name in ("quick", "readme", "list", "help"):
        parser.add_argument("--" + name, action="store_true")
    parser.add_argument("--compare", metavar="FILE")
    parser.add_argument("--from", dest="recorded", metavar="FILE")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise UsageError(f"unknown option '{unknown[0]}'; accepted: --quick --compare --from --readme --list --help")
    for name in options.parts:
        if name not in NAMES:
            raise UsageError(f"unknown part '{name}'; accepted: {' '.join(NAMES)}")
    for name, value in (("--compare", options.compare), ("--from", options.recorded)):
        if value == "":
            raise UsageError(f"{name} needs the name of a file")
    if options.recorded and (options.quick or options.parts):
        raise UsageError("--from measures nothing: it takes no parts and no --quick")
    return options


def list_parts():
    print(f"{'part':<9}{'quick':>6}{'full':>7}   what")
    for part in PARTS:
        print(f"{part.name:<9}{part.quick:>4} s{part.full:>5} s   {part.what}")


def make_directory(now):
    base = ROOT / "bench/out" / now.strftime("%Y-%m-%dT%H-%M-%S")
    directory, number = base, 2
    while directory.exists():
        directory, number = Path(f"{base}-{number}"), number + 1
    (directory / "log").mkdir(parents=True)
    return directory


def measure(options):
    """Builds and runs. Returns the run, its directory, and the programs that ended badly."""
    packages(ROOT)
    described = machine.describe(ROOT)  # before the build, whose own load is none of others
    built = build(ROOT)
    parts = [part for part in PARTS if not options.parts or part.name in options.parts]
    now = datetime.datetime.now().replace(microsecond=0)
    run = store.Run(now.isoformat(), options.quick, described)
    run.warnings += noise.before(run.machine)
    directory = make_directory(now)
    progress = Progress(parts, options.quick)
    for warning in run.warnings:
        progress.say(f"Warning: {warning}")
    runner = Runner(built, options.quick, directory / "log", progress)
    # a service manager's way to say the same
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for part in parts:
            run_part(part, run, runner, progress)
            store.save(run, directory / "results.json")
    except KeyboardInterrupt:
        run.interrupted = progress.part.name
        progress.say(f"Interrupted in {run.interrupted}: the report holds what was measured until then.")
    run.warnings += noise.after(run.rows)
    return run, directory, runner.broken


def run_part(part, run, runner, progress):
    progress.begin(part)
    meter, start, count = noise.Meter(), time.monotonic(), len(run.rows.all)
    runner.run(part, run.rows)
    took = time.monotonic() - start
    run.seconds[part.name] = round(took, 1)
    fresh = run.rows.all[count:]
    if not fresh:
        run.rows.add(Row(part.name, "(all)", skipped="its programs printed nothing"))
    progress.end(sum(row.measured for row in fresh), sum(not row.measured for row in fresh))
    others, steal = meter.taken(took)
    run.taken[part.name] = round(others + steal, 2)
    for warning in noise.during(part.name, others, steal):
        run.warnings.append(warning)
        progress.say(f"Warning: {warning}")


def write(run, directory, old):
    """Everything that stands in the directory; the lines of the comparison, and whether it failed."""
    store.save(run, directory / "results.json")
    store.save_csv(run, directory)
    drawn, complaint = plots.draw_all(run, directory)
    if complaint:
        run_says(complaint)
    lines, worse = compare.compare(old, run) if old else ([], False)
    (directory / "report.md").write_text(report.markdown(run, ROOT, drawn, lines))
    return lines, worse


def run_says(text):
    print(f"./run bench: {text}", file=sys.stderr, flush=True)


def show(run, directory, compared):
    print("\n".join(report.terminal(run)))
    if compared:
        print("\n== compared\n\n" + "\n".join(compared))
    try:
        shown = directory.relative_to(Path.cwd())
    except ValueError:
        shown = directory
    print(f"\nReport, plots and every sample: {shown}/report.md")


def failed(run, options):
    """A part of which nothing was measured although it was asked for."""
    asked = options.parts or NAMES
    return [name for name in asked if not any(row.measured for row in run.rows.of(name))]


def failures(run, options, broken):
    """Why the exit status is not 0 although nothing became worse."""
    if empty := failed(run, options):
        yield f"nothing was measured in: {' '.join(empty)}"
    if broken:
        yield f"not measured to the end: {' '.join(broken)}"


def execute(options):
    old = store.load(options.compare) if options.compare else None
    if options.recorded:
        run = store.load(options.recorded)
        directory, broken = Path(options.recorded).resolve().parent, []
    else:
        run, directory, broken = measure(options)
    compared, worse = write(run, directory, old)
    output(show, run, directory, compared)
    if options.readme:
        readme.update(run, ROOT)
    if run.interrupted and not options.recorded:
        return INTERRUPTED
    trouble = [] if options.recorded else list(failures(run, options, broken))
    for text in trouble:
        run_says(text)
    return 1 if worse or trouble else 0


def output(write, *arguments):
    """Calls what does nothing but print."""
    try:
        write(*arguments)
        sys.stdout.flush()
    except OSError as reason:
        raise OutputError(reason) from reason


def main(arguments):
    try:
        options = parse(arguments)
    except UsageError as error:
        run_says(f"{error} (./run bench --help)")
        return 2
    try:
        if options.help:
            output(print, USAGE.format(parts=parts_text()))
        elif options.list:
            output(list_parts)
        else:
            return execute(options)
        return 0
    except (BuildError, store.StoreError, readme.ReadmeError) as error:
        run_says(str(error))
        return 1
    except KeyboardInterrupt:
        run_says("interrupted before anything was measured")
        return INTERRUPTED
    except OutputError as error:
        if error.reason.errno != errno.EPIPE:
            run_says(f"standard output: {error.reason.strerror}")
        # what is still to be written at the end goes nowhere, without a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
