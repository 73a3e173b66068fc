# SPDX-License-Identifier: MIT
"""What makes figures doubtful. In: the machine, /proc/stat around each part, the floor's samples. Out: warnings, one sentence each."""
import os
import resource
from pathlib import Path

from . import statistics

OTHERS_MOST = 0.10  # of one core, by programs that are not ours
STEAL_MOST = 0.02
FLOOR_SPREAD_MOST = 1.25  # p90 over p10 of the clock reads
FLOORS = ("floor_two_clock_reads", "two_clock_reads", "floor_threads", "floor_processes")  # as the parts name them


def before(machine):
    """Known before anything ran."""
    cores = machine.get("cores", 1)
    if cores == 1:
        yield ("There is one core: the collector takes turns with the worker on it, so every figure with a collector holds its "
               "switches too.")
    if machine.get("load_before", 0) > 0.3 * cores:
        yield (f"The machine was busy before the start: load {machine['load_before']:.2f} on {cores} "
               f"core{'' if cores == 1 else 's'}. Medians are too high.")
    if machine.get("governor") not in ("performance", "not told"):
        yield f"The frequency governor is {machine['governor']}: the clock rate changes as it runs; performance keeps it."
    if machine.get("clock_source") not in ("tsc", "arch_sys_counter", "not told"):
        yield (f"The kernel's clock source is {machine['clock_source']}, so the library reads clock_gettime instead of the CPU's counter: "
               "the floor is higher, and so is what a call adds to it. The targets were set for the counter.")
    if machine.get("threads_a_core", 1) > 1:
        yield "Cores share their units between threads (SMT): a neighbour slows what is measured."


class Meter:
    """CPU that somebody else took while a part ran."""

    def __init__(self):
        self.start = self.now()

    @staticmethod
    def now():
        numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        user, nice, system, _, _, irq, softirq, steal = numbers
        tick = os.sysconf("SC_CLK_TCK")
        ours = sum(usage.ru_utime + usage.ru_stime for usage in
                   (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))
        return (user + nice + system + irq + softirq) / tick, steal / tick, ours

    def taken(self, seconds):
        """By other programs, and by the hypervisor, in cores; after the part's processes have been waited for."""
        busy, steal, ours = (b - a for a, b in zip(self.start, self.now()))
        return max(0.0, busy - ours) / max(seconds, 0.1), steal / max(seconds, 0.1)


def during(part, others, steal):
    if others > OTHERS_MOST:
        yield f"{part}: other programs used {others:.0%} of a core meanwhile. Lower deciles suffer least, wall times most."
    if steal > STEAL_MOST:
        yield f"{part}: the hypervisor took away {steal:.0%} of a core meanwhile."


def after(rows):
    """What the samples themselves show: of each part the floor that varied most."""
    for part in rows.parts():
        floors = [row for case in FLOORS for row in rows.every(part, case) if len(row.samples) >= 20 and row.labels.get("cores") != "oversubscribed"]
        spread = max((statistics.over(statistics.quantile(row.samples, 0.9), statistics.lower_decile(row.samples)) for row in floors), default=1)
        if spread > FLOOR_SPREAD_MOST:
            yield (f"{part}: the floor itself varied, its 90th percentile is {spread:.2f} times its lower decile. "
                   "Trust ratios, not single figures.")
