#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is not zero in a segment file, as an input of fuzz_image.c: image.py SEGMENT >INPUT

The file of a worker with GEMINI_BATCH_TELEMETRY_RING_BYTES=16384 and few events gives 1 to 11 KB."""
import pathlib
import re
import struct
import sys

GAP = 8  # zeros that are worth a span of their own

data = pathlib.Path(sys.argv[1]).read_bytes()
out = [struct.pack("<I", len(data) // 4096)]
for match in re.finditer(rb"[^\0](?:\0{0,%d}[^\0])*" % GAP, data):
    for at in range(match.start(), match.end(), 0xFFFF):
        span = data[at : min(at + 0xFFFF, match.end())]
        out.append(struct.pack("<IH", at, len(span)) + span)
sys.stdout.buffer.write(b"".join(out))
