# SPDX-License-Identifier: MIT
"""What a program measured: one row a line of its output. In: JSON Lines (the format: bench/README.md). Out: rows, and finding them."""
import json
from dataclasses import asdict, dataclass, field

BETTER = ("lower", "higher", "none")


@dataclass
class Row:
    part: str
    case: str
    unit: str = ""
    better: str = "lower"
    samples: list = field(default_factory=list)
    quantiles: list = None
    calls_per_sample: int = 0
    drops: int = 0
    discarded: int = 0
    floor: str = None
    x: float = None
    x_name: str = None
    labels: dict = field(default_factory=dict)
    note: str = ""
    skipped: str = None

    @property
    def key(self):
        """Two rows of two runs are the same measurement when these agree."""
        return self.part, self.case, self.x, tuple(sorted(self.labels.items()))

    @property
    def measured(self):
        return not self.skipped and bool(self.samples or self.quantiles)

    @property
    def name(self):
        """For people: case, then what tells it from the others of its name."""
        words = [self.case.replace("_", " ")]
        if self.x is not None:
            words.append(f"{self.x_name or 'x'}={self.x:g}".replace("_", " "))
        words += [f"{name}={value}" for name, value in sorted(self.labels.items())]
        return ", ".join(words)

    def as_dict(self):
        return {name: value for name, value in asdict(self).items() if value not in (None, "", {}) or name == "samples"}

    def quantile(self, q):
        """Of a distribution: the value at q, between the given ones by a straight line."""
        below = None
        for at, value in self.quantiles:
            if at >= q:
                if below is None or at == q:
                    return value
                return below[1] + (value - below[1]) * (q - below[0]) / (at - below[0])
            below = (at, value)
        return self.quantiles[-1][1]


def row_of(values):
    """A row from a decoded line; ValueError says what is wrong with it."""
    if not isinstance(values, dict):
        raise ValueError("it is no object")
    known = {name: value for name, value in values.items() if name in Row.__dataclass_fields__ and value is not None}
    if not isinstance(known.get("part"), str):
        raise ValueError("it names no part")
    row = Row(**{"case": "(all)", **known})
    row.labels = {str(name): str(value) for name, value in row.labels.items()}
    if row.skipped:
        return row
    if row.better not in BETTER:
        raise ValueError(f"better is {row.better!r}, not one of {', '.join(BETTER)}")
    row.samples = [float(value) for value in row.samples if value is not None]
    if row.quantiles:
        row.quantiles = sorted((float(q), float(value)) for q, value in row.quantiles if value is not None)
    if not row.measured:
        row.skipped = row.note or (f"every sample was thrown away for a drop ({row.discarded})" if row.discarded
                                   else "no sample")
    return row


def parse(line):
    return row_of(json.loads(line))


class Rows:
    """All rows of a run, in the order in which they came."""

    def __init__(self, rows=()):
        self.all = list(rows)

    def add(self, row):
        self.all.append(row)

    def of(self, part):
        return [row for row in self.all if row.part == part]

    def parts(self):
        return list(dict.fromkeys(row.part for row in self.all))

    def every(self, part, case, **labels):
        """The measured rows of a case (None: of any) that carry these labels; a label given as None is not asked for."""
        wanted = {name: str(value) for name, value in labels.items() if value is not None}
        return [row for row in self.all if row.part == part and case in (None, row.case) and row.measured
                and all(row.labels.get(name) == value for name, value in wanted.items())]

    def one(self, part, case, **labels):
        found = self.every(part, case, **labels)
        return found[0] if found else None

    def floor_of(self, row):
        """What was measured in turn with it: the floor's row with the most labels in common."""
        if not row.floor or row.floor == row.case:
            return None
        found = [other for other in self.every(row.part, row.floor) if other.unit == row.unit]
        found.sort(key=lambda other: (other.x == row.x, len(set(other.labels.items()) & set(row.labels.items()))))
        return found[-1] if found else None

    def curve(self, part, case, **labels):
        """The rows of a case with an x, by x."""
        return sorted((row for row in self.every(part, case, **labels) if row.x is not None), key=lambda row: row.x)
