# SPDX-License-Identifier: MIT
"""Draws with gnuplot. In: a plot: title, axes, series of points. Out: NAME.gp, NAME.svg, NAME.png; the script holds its data, so that
a plot can be drawn again by hand."""
import math
import re
import shutil
import subprocess
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

BLUE, ORANGE, GREEN, RED, PURPLE, GREY, LIGHT = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#9467BD", "#888888", "#BBBBBB"
TERMINALS = (("svg", 'svg size 900,{height} font "DejaVu Sans,13" background rgb "white"'),
             ("png", 'pngcairo size 1350,{large} font "DejaVu Sans,12" fontscale 1.4 linewidth 1.5 background rgb "white"'))


TITLE_WIDTH = 80  # characters of a line


@dataclass
class Series:
    title: str
    points: list  # (x, y) or (x, y, low, high)
    colour: str = BLUE
    style: str = "linespoints"  # or lines, steps
    dash: int = 1
    right: bool = False  # belongs to the axis at the right


@dataclass
class Plot:
    name: str
    part: str
    title: str  # the finding
    caption: str  # how to read it
    x_label: str = ""
    y_label: str = ""
    series: list = field(default_factory=list)
    settings: list = field(default_factory=list)  # further lines of gnuplot
    bars: list = field(default_factory=list)  # (label, value, low, high, colour, text): a plot of bars instead of series
    footer: str = ""
    height: int = 520
    doubtful: bool = False  # too noisy to show to others


def plain(text):
    """Escaped where gnuplot would read it as markup."""
    return "".join("\\\\" + c if c in "_^@&~{}" else {'"': "'", "\\": "/"}.get(c, c) for c in text)


def heading(plot):
    """The finding, and below it machine and date, at the left edge of the picture."""
    together = re.sub(r"(?<=\d) (?=(%|ns|µs|ms|s|k|M|KiB|MiB)\b|%)", "\u00a0", plot.title)
    lines = textwrap.wrap(together, TITLE_WIDTH)
    for number, line in enumerate(lines):
        at = 1 - (26 + 21 * number) / plot.height
        yield f'set label {90 + number} "{{/:Bold {plain(line)}}}" at screen 0.02,{at:.4f} left font ",14"'
    at = 1 - (26 + 21 * len(lines)) / plot.height
    yield f'set label 99 "{plain(plot.footer)}" at screen 0.02,{at:.4f} left font ",10" textcolor rgb "#666666"'
    yield f"set tmargin at screen {1 - (50 + 21 * len(lines)) / plot.height:.4f}"


def preamble(plot):
    return ["set encoding utf8", *heading(plot), f'set xlabel "{plain(plot.x_label)}"',
            f'set ylabel "{plain(plot.y_label)}"', "set border 3 lc rgb '#666666'", "set tics nomirror out textcolor rgb '#333333'",
            "set grid lc rgb '#DDDDDD' lt 1 lw 0.5",
            f"set key at screen 0.5,{6 / plot.height:.4f} center bottom horizontal maxrows 2 samplen 2 spacing 1.15 Left reverse",
            f"set bmargin at screen {118 / plot.height:.4f}", "set rmargin 4", *plot.settings]


def block(name, rows):
    return [f"${name} << END", *(" ".join(quoted(cell) for cell in row) for row in rows), "END"]


def quoted(cell):
    return f"{cell:.8g}" if isinstance(cell, (int, float)) else '"' + str(cell).replace('"', "'") + '"'


def series_script(plot):
    lines, curves = [], []
    for number, series in enumerate(plot.series):
        if not series.points:
            continue
        lines += block(f"s{number}", series.points)
        look = f"lc rgb '{series.colour}' dt {series.dash} lw 2"
        axes = "axes x1y2 " if series.right else ""
        if len(series.points[0]) == 4:
            curves.append(f"$s{number} using 1:2:3:4 {axes}with yerrorbars lc rgb '{series.colour}' lw 1 pt 0 notitle")
        marks = " pt 7 ps 0.8" if series.style == "linespoints" else ""
        curves.append(f"$s{number} using 1:2 {axes}with {series.style} {look}{marks} title \"{plain(series.title)}\"")
    return lines + ["plot " + ", \\\n     ".join(curves)]


def bars_script(plot):
    count = len(plot.bars)
    least = min(bar[2] for bar in plot.bars if bar[2] > 0)
    low = 10 ** math.floor(math.log10(least) - 0.15)
    high = max(bar[3] for bar in plot.bars) * 6
    rows = [(count - i, *bar[1:4], int(bar[4][1:], 16), bar[5]) for i, bar in enumerate(plot.bars)]
    ticks = ", ".join(f'"{plain(bar[0])}" {count - i}' for i, bar in enumerate(plot.bars))
    return [*block("bars", rows), "set logscale x", f"set xrange [{low:g}:{high:g}]", f"set yrange [0.3:{count + 0.7}]",
            f"set ytics ({ticks}) scale 0", "unset key", "set grid noytics xtics", f"set bmargin at screen {66 / plot.height:.4f}", "set lmargin 33",
            f"plot $bars using 2:1:({low:g}):2:($1-0.34):($1+0.34):5 with boxxyerror fs solid 0.85 noborder lc rgb variable, \\\n"
            "     $bars using 2:1:3:4 with xerrorbars lc rgb '#222222' lw 1 pt 0, \\\n"
            "     $bars using 4:1:6 with labels left offset 0.8,0 textcolor rgb '#222222'"]


def script(plot):
    return "\n".join(preamble(plot) + (bars_script(plot) if plot.bars else series_script(plot))) + "\n"


def available():
    return shutil.which("gnuplot") is not None


def draw(plot, directory):
    """Returns what gnuplot complained about, or nothing."""
    directory = Path(directory)
    (directory / f"{plot.name}.gp").write_text(f"# gnuplot {plot.name}.gp shows it; the files beside it were drawn by it\n" + script(plot))
    for kind, terminal in TERMINALS:
        terminal = terminal.format(height=plot.height, large=plot.height * 3 // 2)
        commands = f"set terminal {terminal}\nset output '{plot.name}.{kind}'\n" + script(plot)
        done = subprocess.run(["gnuplot"], input=commands, text=True, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}"
    return ""
