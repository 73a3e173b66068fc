# SPDX-License-Identifier: MIT
"""The parts of the suite, in the order of the report. In: nothing. Out: one row a part."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    name: str
    what: str
    quick: int  # seconds that it takes, about
    full: int
    programs: tuple

    def seconds(self, quick):
        return self.quick if quick else self.full


def part(name, what, quick, full, *programs):
    return Part(name, what, quick, full, programs or (f"bench-{name}",))


PARTS = (
    part("app", "what a whole program pays: the demo worker and two kernels, all cores busy", 25, 150),
    part("emit", "one call of the library, beside the clock reads that it needs", 8, 40),
    part("peers", "the same job with what one would use instead", 25, 60),
    part("scale", "a call with 1 to n threads and processes; memory", 8, 40),
    part("drain", "the collector: ns a record by stage and reporter, CPU by rate", 25, 75),
    part("latency", "from a call to the reporter's output", 15, 30),
    part("loss", "the highest rate without a drop by ring size, and what is lost above it", 20, 60),
)
NAMES = tuple(part.name for part in PARTS)


def of_name(name):
    return next(part for part in PARTS if part.name == name)
