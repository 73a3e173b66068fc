# SPDX-License-Identifier: MIT
"""A run on disk: results.json with every raw sample, and one CSV a part. In: rows and the machine. Out: files; and back."""
import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

from . import statistics
from .rows import Row, Rows, row_of

SCHEMA = 1


class StoreError(Exception):
    pass


@dataclass
class Run:
    made: str  # local time, ISO 8601
    quick: bool
    machine: dict
    rows: Rows = field(default_factory=Rows)
    warnings: list = field(default_factory=list)
    seconds: dict = field(default_factory=dict)  # part -> how long it took
    taken: dict = field(default_factory=dict)  # part -> cores that others and the hypervisor took meanwhile
    interrupted: str = ""  # the part in which it ended, or nothing

    @property
    def day(self):
        return self.made[:10]


def save(run, path):
    document = {"schema": SCHEMA, "made": run.made, "quick": run.quick, "interrupted": run.interrupted, "machine": run.machine,
                "warnings": run.warnings, "seconds": run.seconds, "taken": run.taken, "rows": [row.as_dict() for row in run.rows.all]}
    text = json.dumps(document, indent=None, separators=(",", ":"))
    # a row a line: a difference of two files can be read
    Path(path).write_text(text.replace('{"part":', '\n{"part":') + "\n")


def load(path):
    try:
        document = json.loads(Path(path).read_text())
        if document["schema"] != SCHEMA:
            raise StoreError(f"{path} has schema {document['schema']}; this driver reads {SCHEMA}")
        for name in ("machine", "seconds", "taken"):
            if not isinstance(document.get(name, {}), dict):
                raise StoreError(f"{path} is no results.json of this suite: {name} is no object")
        return Run(document["made"], document["quick"], document["machine"], Rows(row_of(row) for row in document["rows"]),
                   document["warnings"], document["seconds"], document.get("taken", {}), document["interrupted"])
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is no results.json of this suite: {error}") from error


COLUMNS = ("case", "labels", "x_name", "x", "unit", "samples", "p10", "p10_low", "p10_high", "median", "median_low", "median_high",
           "p90", "drops", "discarded", "floor", "ratio", "note", "skipped")


def csv_row(rows, row: Row):
    values = dict.fromkeys(COLUMNS, "")
    values.update(case=row.case, unit=row.unit, x=row.x, x_name=row.x_name, note=row.note, skipped=row.skipped, floor=row.floor,
                  drops=row.drops, discarded=row.discarded, samples=len(row.samples),
                  labels=" ".join(f"{name}={value}" for name, value in sorted(row.labels.items())))
    if row.samples:
        low, middle = (statistics.estimate(row.samples, statistic) for statistic in
                       (statistics.lower_decile, statistics.median))
        values.update(p10=low.value, p10_low=low.low, p10_high=low.high, median=middle.value, median_low=middle.low,
                      median_high=middle.high, p90=statistics.quantile(row.samples, 0.9))
        if floor := rows.floor_of(row):
            values["ratio"] = statistics.over(low.value, statistics.lower_decile(floor.samples))
    elif row.quantiles:
        values.update(p10=row.quantile(0.1), median=row.quantile(0.5), p90=row.quantile(0.9))
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in values.items()}


def save_csv(run, directory):
    for part in run.rows.parts():
        with open(Path(directory) / f"{part}.csv", "w", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in run.rows.of(part):
                writer.writerow(csv_row(run.rows, row))
        distributions = [row for row in run.rows.of(part) if row.quantiles]
        if distributions:
            with open(Path(directory) / f"{part}-distributions.csv", "w", newline="") as out:
                writer = csv.writer(out, lineterminator="\n")
                writer.writerow(("case", "labels", "unit", "q", "value"))
                for row in distributions:
                    labels = " ".join(f"{name}={value}" for name, value in sorted(row.labels.items()))
                    writer.writerows((row.case, labels, row.unit, q, f"{value:.6g}") for q, value in row.quantiles)
