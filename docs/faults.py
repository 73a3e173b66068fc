#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is docs/faults.md complete and true to the tests? usage: faults.py ROOT

Every fault 1 to 37 and invariant I1 to I7 has one row; each row names at least one test; each named file is there and has the named text
in it; each has a figure: a number of something that the tests do or say, or "open: ..." or "limit: ..." with words."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
wanted = [str(n) for n in range(1, 38)] + [f"I{n}" for n in range(1, 8)]
wrong = []
seen = []
tests = 0
for line in (root / "docs/faults.md").read_text().splitlines():
    match = re.match(r"\| (I?\d+) \|", line)
    if not match:
        continue
    row = match.group(1)
    seen.append(row)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    if not re.search(r"\d", cells[-1]) and not re.match(r"(open|limit): \w", cells[-1]):
        wrong.append(f"row {row}: no figure, and neither open nor a limit with its reason")
    named = re.findall(r"`([\w/.]+): ([^`]+)`", line)
    if not named:
        wrong.append(f"row {row}: names no test")
    for file, text in named:
        tests += 1
        path = root / "tests" / file
        if not path.is_file():
            wrong.append(f"row {row}: there is no tests/{file}")
        elif text not in re.sub(r"\s+(\* )?", " ", path.read_text()):
            wrong.append(f"row {row}: tests/{file} has no '{text}'")
if seen != wanted:
    wrong.append(f"rows are {seen}, expected {wanted}")
print("\n".join(wrong) or f"{len(seen)} rows, {tests} tests")
sys.exit(bool(wrong))
