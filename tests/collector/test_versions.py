#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FAULTS 24: segments that workers of each version of the format have left are read to the events that those emitted. One of another
major is refused, with both versions named; one of a newer minor, whose header and entries are longer, is read.

usage: test_versions.py COLLECTOR RECORDED"""
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

collector, recorded = sys.argv[1:3]
PAGE = 4096
# of struct gbw_header, see include/gb/wire.h
MAJOR, MINOR, HEADER_BYTES, NAME_BYTES, RING_BYTES = 8, 10, 16, 20, 24
OFFSETS, CAPACITIES, IDENTITY, BOOT, RING_COUNT = 32, 56, 72, 88, PAGE // 2 + 12
failures = 0


def check(good, what):
    global failures
    if not good:
        print("FAILED:", what)
        failures += 1


def read(segment, aside=None):
    """Its lines in the log, what the collector said, and whether the segment is still there."""
    work = tempfile.mkdtemp(prefix="gb-test-", dir="/dev/shm")
    try:
        path = f"{work}/segments/gb-{segment[IDENTITY:IDENTITY + 16].hex()}.seg"
        os.mkdir(work + "/segments", 0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.write(segment)
        result = subprocess.run([collector, "--once", "--quiet", "--dir", work + "/segments", "--reporter",
                                 f"log:path={work}/log"], stderr=subprocess.PIPE, text=True, timeout=120)
        check(result.returncode == 0, f"exit status {result.returncode}: {result.stderr}")
        with open(work + "/log") as lines:
            return [json.loads(line) for line in lines], result.stderr, os.path.exists(path)
    finally:
        shutil.rmtree(work)


def expected():
    """The events of recorded/record.c, but for the flood: scope, value or None, metadata."""
    for i in range(40):
        yield "batch.load.items", i, {}
        yield "batch.load", None, {}
        yield "batch.fill", -1.5, {"token": "[redacted]"}
        yield "batch.wait", 18446744073709551615, {}
        yield "batch", None, {"i": i, "name": "file \u00e4", "ratio": 0.5, "last": int(i == 39)}
    yield "fetch", None, {"nothing": None}
    yield "made.7", None, {}


def check_events(lines, folds, version):
    events = [line for line in lines if line["event"] in ("telemetry.timing", "telemetry.metric")]
    told = [(line["scope"], line.get("value"), line["metadata"]) for line in events]
    flood = sum(scope == "flood" for scope, _, _ in told)
    whole = list(expected())
    check(told == whole + [("flood", 1, {})] * flood + [("open", None, {"file": "the last one"})], f"{version}: {told}")
    check(flood > 10, f"{version}: {flood} of the flood")
    check(events[-1].get("unfinished") and events[-1]["cause"] == "died", f"{version}: {events[-1]}")
    check(all(a["seq"] < b["seq"] for a, b in zip(events, events[1:])), f"{version}: seq")
    check(any(line["scope"] == "made.7" and line["duration_s"] == 2 for line in events), f"{version}: made.7")
    end = lines[-1]
    check((end["state"], end["program"], end["malformed"]) == ("finished", "record", 0), f"{version}: {end}")
    delivered = len(whole) + flood
    check((end["attempted"], end["delivered"], end["unfinished"]) == (len(whole) + 300, delivered, 1), f"{version}: {end}")
    lost = end["attempted"] - delivered
    check((end.get("folded", 0), end["dropped"]["ring_full"]) == ((lost, 0) if folds else (0, lost)), f"{version}: {end}")


def get(segment, form, at):
    return struct.unpack_from("<" + form, segment, at)


def newer(segment):
    """The same as minor 9 would write it: a header of two pages, name entries of 24 bytes, ring entries of 40; and before a reboot."""
    names, text, rings = get(segment, "QQQ", OFFSETS)
    name_count, text_bytes, ring_capacity = get(segment, "III", CAPACITIES)
    name_bytes, ring_bytes = get(segment, "II", NAME_BYTES)
    ring_count, = get(segment, "I", RING_COUNT)
    assert ring_count == 1
    first, = get(segment, "Q", rings)
    out = bytearray(segment[:PAGE]) + b"\xee" * PAGE
    at = [0, 0, 0]
    at[0] = len(out)
    for i in range(name_count):
        out += segment[names + i * name_bytes:names + (i + 1) * name_bytes] + b"\xee" * 8
    at[1] = len(out)
    out += segment[text:text + text_bytes]
    out += b"\0" * (-len(out) % 8)
    at[2] = len(out)
    out += segment[rings:rings + ring_bytes] + b"\xee" * 24 + b"\0" * (40 * (ring_capacity - 1))
    out += b"\0" * (-len(out) % PAGE)
    struct.pack_into("<Q", out, at[2], len(out))
    out += segment[first:]
    struct.pack_into("<HIII", out, MINOR, 9, 0x01020304, 2 * PAGE, name_bytes + 8)
    struct.pack_into("<I", out, RING_BYTES, 40)
    out[BOOT:BOOT + 16] = b"\xee" * 16
    struct.pack_into("<QQQ", out, OFFSETS, *at)
    return bytes(out)


names = sorted(os.listdir(recorded))
versions = [name[:-len(".seg.gz")] for name in names if name.endswith(".seg.gz")]
check(versions == ["1.0", "1.1", "1.2"], f"recorded are {versions}")
for version in versions:
    with gzip.open(f"{recorded}/{version}.seg.gz") as packed:
        segment = packed.read()
    folds = version != "1.0"
    check("%d.%d" % get(segment, "HH", MAJOR) == version, f"{version} holds another version")
    lines, said, left = read(segment)
    check_events(lines, folds, version)
    check(not left and not said, f"{version}: {said}")
    lines, said, left = read(newer(segment))
    check_events(lines, folds, version + " made 1.9")
    check(not left and not said, f"{version} made 1.9: {said}")
    other = bytearray(segment)
    struct.pack_into("<HH", other, MAJOR, 2, 3)
    lines, said, left = read(bytes(other))
    check(lines == [] and left and "it has format 2.3, and this gb-collector reads 1.x" in said, f"{version} made 2.3: {said}")
    print(f"{version}: {len(segment)} bytes, read as it is and as 1.9, refused as 2.3")
sys.exit(failures != 0)
