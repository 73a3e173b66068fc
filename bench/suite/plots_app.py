# SPDX-License-Identifier: MIT
"""What telemetry adds to a whole program. In: the rows of the part app. Out: a plot: difference against event rate."""
from . import statistics
from .gnuplot import BLUE, GREEN, Plot, Series
from .tables import count, signed

NOISY = 0.2  # an interval as wide as this tells nothing
# beside each other, not on top of each other
CURVES = (("cpu_kernel", "wall", "cpu-bound, wall time", BLUE, 1, 0.91),
          ("cpu_kernel", "cpu", "cpu-bound, CPU of all processes", BLUE, 2, 0.97),
          ("memory_kernel", "wall", "memory-bound, wall time", GREEN, 1, 1.03),
          ("memory_kernel", "cpu", "memory-bound, CPU of all processes", GREEN, 2, 1.09))
TICKS = "'1 k' 1e3, '10 k' 1e4, '100 k' 1e5, '1 M' 1e6, '10 M' 1e7"


def differences(rows, case):
    """(rate or None, Estimate), with a collector against telemetry compiled out."""
    for row in rows.every("app", f"{case}_enabled_collector"):
        base = [other for other in rows.every("app", f"{case}_compiled_out") if other.x == row.x]
        if base:
            yield row.x, statistics.relative_difference(row.samples, base[0].samples)


def told(estimate, where):
    return f"{signed(estimate.value)} ({signed(estimate.low)} to {signed(estimate.high)}) {where}"


def title(demo, found):
    """The demo worker, a rate that is high in practice, and the highest."""
    rates = sorted({rate for rate, _ in found})
    shown = dict.fromkeys([rate for rate in rates if rate <= 1e5][-1:] + [rates[-1]])
    parts = [(estimate, "in the demo") for _, estimate in demo]
    parts += [(max((estimate for x, estimate in found if x == rate), key=lambda estimate: estimate.value),
               f"in a kernel at {count(rate)}/s") for rate in shown]
    noisy = any(estimate.high - estimate.low > NOISY for estimate, _ in parts)
    start = "Too noisy to tell what telemetry adds to the wall time: " if noisy else "Telemetry changes the wall time by "
    return start + ", ".join(told(*part) for part in parts), noisy


def overhead(rows):
    series, found = [], []
    for program, measure, name, colour, dash, aside in CURVES:
        curve = sorted(differences(rows, f"{program}_{measure}"))
        series.append(Series(name, [(x * aside, *(100 * value for value in (estimate.value, estimate.low, estimate.high)))
                                    for x, estimate in curve], colour, dash=dash))
        found += curve if measure == "wall" else []
    if not found:
        return None
    said, noisy = title(list(differences(rows, "batch_worker_wall")), found)
    rates = [rate for rate, _ in found]
    return Plot("overhead", "app", said,
                "Difference to the same program with telemetry compiled out, all cores busy and the collector sharing them; median over "
                "the rounds, and the 95 % interval. Rounds in which an event was dropped are left out.",
                "events a second, of all threads (logarithmic)", "difference, %", series,
                ["set logscale x", f"set xrange [{min(rates) / 1.6:g}:{max(rates) * 1.6:g}]", f"set xtics ({TICKS})",
                 "set xzeroaxis lc rgb '#444444' lt 1"], doubtful=noisy)
