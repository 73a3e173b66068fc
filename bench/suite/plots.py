# SPDX-License-Identifier: MIT
"""All plots of a run. Each answers a question, and its title states what was found here. In: a run. Out: files in its directory."""
from . import gnuplot, machine
from .plots_app import overhead
from .plots_call import cost, distribution, scale
from .plots_collector import collector, loss, policy


def make_all(run):
    """In the order of the report; those for which nothing was measured are left out."""
    rows = run.rows
    made = (overhead(rows), cost(rows), distribution(rows), scale(rows, run.machine.get("cores", 1)), collector(rows), policy(rows),
            loss(rows))
    found = [plot for plot in made if plot]
    for plot in found:
        plot.footer = f"{machine.short(run.machine)}, {run.day}{', quick run' if run.quick else ''}"
    return found


def draw_all(run, directory):
    """Returns what was drawn, and what to say about what was not."""
    if not gnuplot.available():
        return [], "gnuplot is not installed, so there are no plots; the tables and CSV files hold the same figures"
    drawn, complaints = [], []
    for plot in make_all(run):
        trouble = gnuplot.draw(plot, directory)
        if trouble:
            complaints.append(f"gnuplot could not draw {plot.name}: {trouble}")
        else:
            drawn.append(plot)
    return drawn, "; ".join(complaints)
