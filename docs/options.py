#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/options.py GB [--write]: the tables of options in the pages about reporters are those of the program (`gb reporters --json`).

Between the two marks `options of NAME` and `end of options` stands what this makes; NAME `all` is what every reporter has. Without
--write it changes nothing, and exits 1 naming the pages that differ."""

import difflib, json, pathlib, re, subprocess, sys

docs = pathlib.Path(__file__).resolve().parent
TYPES = {"text": "text", "bool": "`yes`, `no`", "int": "a number", "duration": "a time: `500ms`, `10s`, `1h`", "bytes": "bytes: `64KiB`, `1GiB`"}
ROFF_TYPES = {"text": "TEXT", "bool": "yes|no", "int": "N", "duration": "TIME", "bytes": "BYTES"}


def markdown(options):
    def cell(text):
        return re.sub(r"(?<!\w)_?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", r"`\g<0>`", text.replace("|", "\\|"))

    out = ["| option | takes | default | |", "|---|---|---|---|"]
    for option in options:
        takes = ", ".join(f"`{c}`" for c in option["choices"].split("|")) if option["choices"] else TYPES[option["type"]]
        default = f"`{option['default']}`" if option["default"] is not None else ""
        out.append(f"| `{option['name']}` | {takes} | {default} | {cell(option['help'])} |")
    return out


def scdoc(options):
    def plain(text):
        return re.sub(r"[\\*_]", r"\\\g<0>", text)

    out = []
    for option in options:
        takes = option["choices"] or ROFF_TYPES[option["type"]]
        default = f" Default: {plain(option['default'])}" if option["default"] is not None else ""
        help = plain(option["help"][0].upper() + option["help"][1:])
        out += [f"*{plain(option['name'])}*={plain(takes)}", f"\t{help}.{default}", ""]
    return out[:-1]


def renewed(path, tables):
    make = scdoc if path.suffix == ".scd" else markdown
    out, inside = [], False
    for line in path.read_text().split("\n"):
        begin = re.search(r"options of (\w+)", line) if line.startswith(("<!--", "; ")) else None
        if begin:
            out += [line, ""] + make(tables[begin[1]]) + [""]
            inside = True
        elif inside and "end of options" in line:
            inside = False
        if not inside and not begin:
            out.append(line)
    return "\n".join(out)


tables = {}
for line in subprocess.run([sys.argv[1], "reporters", "--json"], check=True, capture_output=True, text=True).stdout.splitlines():
    reporter = json.loads(line)
    tables[reporter["name"] or "all"] = reporter["options"]
pages = [p for p in [docs / "reporters.md", *sorted((docs / "reporters").glob("*.md")), docs / "man/gb-reporters.7.scd"]]
told = set(re.findall(r"options of (\w+)", "".join(p.read_text() for p in pages if p.suffix == ".md")))
stale = [f"{name} has no table of options in docs/reporters" for name in tables.keys() - told]
for page in pages:
    was, new = page.read_text(), renewed(page, tables)
    if was != new and sys.argv[2:] == ["--write"]:
        page.write_text(new)
    elif was != new:
        stale.append(f"{page.relative_to(docs.parent)} differs from the program's tables; renew it with: docs/options.py GB --write\n" + "\n".join(
            difflib.unified_diff(was.split("\n"), new.split("\n"), "committed", "made", lineterm="", n=0)))
print("\n".join(stale) if stale else f"{len(tables)} tables, {len(pages)} pages: right")
sys.exit(1 if stale else 0)
