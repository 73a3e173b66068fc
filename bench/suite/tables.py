# SPDX-License-Identifier: MIT
"""Tables, for a terminal of 80 columns and for Markdown. In: cells of text. Out: lines; and numbers with their units."""
import textwrap
from dataclasses import dataclass, field

WIDTH = 80


@dataclass
class Table:
    head: list
    rows: list = field(default_factory=list)
    right: bool = True  # every column but the first holds numbers

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def text(self):
        """The first column gives way: its words wrap."""
        others = [max(len(row[i]) for row in [self.head] + self.rows) for i in range(1, len(self.head))]
        first = max(12, WIDTH - sum(others) - 2 * len(others))
        first = min(first, max(len(row[0]) for row in [self.head] + self.rows))
        lines = [self.line(self.head, first, others).rstrip()]
        lines.append("-" * min(WIDTH, first + sum(others) + 2 * len(others)))
        for row in self.rows:
            pieces = textwrap.wrap(row[0], first) or [""]
            lines += pieces[:-1]
            lines.append(self.line([pieces[-1]] + row[1:], first, others).rstrip())
        return lines

    def line(self, cells, first, others):
        columns = [cell.rjust(width) if self.right else cell.ljust(width) for cell, width in zip(cells[1:], others)]
        return "  ".join([cells[0].ljust(first)] + columns)

    def markdown(self):
        def line(cells):
            return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        rule = "|---" + ("|--:" if self.right else "|---") * (len(self.head) - 1) + "|"
        return [line(self.head), rule] + [line(row) for row in self.rows]


SCALES = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (0, "ns")),
    "cpu_ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (0, "ns")),
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (0, "ns")),
    "bytes": ((2 ** 30, "GiB"), (2 ** 20, "MiB"), (2 ** 10, "KiB"), (0, "B")),
    "events/s": ((1e6, "M/s"), (1e3, "k/s"), (0, "/s")),
}
ONE = {"ns": 1, "cpu_ns": 1, "s": 1e-9, "bytes": 1, "events/s": 1}


def digits(value):
    """Three that count."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def amount(value, unit):
    """A number with its unit, at the scale that reads best: 20.1 ns, 1.02 ms."""
    if unit == "share":
        return share(value)
    if unit == "percent_core":
        return digits(value) + " %"
    for least, name in SCALES.get(unit, ()):
        if abs(value) >= least:
            return f"{digits(value / (least or ONE[unit]))} {name}"
    return digits(value) + (f" {unit}" if unit and unit not in ("instructions", "events") else "")


def share(value):
    if value == 0:
        return "0"
    return f"{value * 1e6:.3g} ppm" if abs(value) < 1e-3 else f"{digits(value * 100)} %"


def signed(value):
    """A difference as a share: +0.31 %."""
    return f"{value * 100:+.2f} %" if abs(value) < 0.1 else f"{value * 100:+.1f} %" if abs(value) < 1 else f"{value * 100:+.0f} %"


def between(estimate, show):
    return f"{show(estimate.low)} … {show(estimate.high)}"


def count(value):
    """A count as an axis shows it: 100 k, 5 M, 1 MiB is not for it."""
    for least, name in ((1e6, "M"), (1e3, "k")):
        if value >= least:
            return f"{value / least:g} {name}"
    return f"{value:g}"
