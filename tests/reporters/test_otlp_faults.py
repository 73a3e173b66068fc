#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_otlp_faults.py COLLECTOR WORKER: `otlp` against a receiver that does what it is told (row 32 of the faults).

For each case a worker emits into a private directory, then a collector drains it once. What the receiver saw (requests, their
times) and what the collector's ledger says (delivered, dropped by cause) must be exactly what the case is to give."""

import gzip, socket, sys

sys.dont_write_bytecode = True
from otlp_rig import answer, case, check, done, endlessly, metrics, partial, reset, run, run_daemon, slowly

case("all is well")
count, causes, seen, said = run({})
check("dropped", causes, {})
check("paths", [s[0] for s in seen], ["/v1/metrics"])
check("type", seen[0][1]["content-type"], "application/x-protobuf")
check("agent", seen[0][1]["user-agent"].startswith("gb-telemetry/"), True)

case("spans, gzip, headers")
count, causes, seen, said = run({}, 'signals=metrics+traces,compression=gzip,headers="X-Key=a%20b,Other=1"')
check("dropped", causes, {})
check("paths", sorted(s[0] for s in seen), ["/v1/metrics", "/v1/traces"])
for path, headers, body, _ in seen:
    check("encoding", headers["content-encoding"], "gzip")
    check("header", (headers["x-key"], headers["other"]), ("a b", "1"))
    check("service in the body", b"service.name" in gzip.decompress(body), True)

case("variables")
count, causes, seen, said = run({}, "signals=metrics+traces", {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:PORT/base/", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:PORT/own", "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=2", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none"})
check("dropped", causes, {})
check("requests", sorted((s[0], s[1].get("content-encoding"), s[1]["a"]) for s in seen),
      [("/base/v1/metrics", "gzip", "1"), ("/own", None, "2")])

case("nobody listens")
with socket.create_server(("127.0.0.1", 0)) as unused:
    port = unused.getsockname()[1]
count, causes, seen, said = run({}, port=port)
check("dropped", causes, {"unreachable": count})
check("said", "cannot send metrics" in said, True)

case("one byte a second")
count, causes, seen, said = run(metrics(slowly), "timeout=300ms")
check("dropped", causes, {"timeout": count})

case("reset")
count, causes, seen, said = run(metrics(reset))
check("dropped", causes, {"connection_lost": count})
check("was tried again", len(seen) > 1, True)

case("reset once")
count, causes, seen, said = run(metrics(reset, answer(200)))
check("dropped", causes, {})
check("requests", len(seen), 2)
check("the same request", seen[0][2], seen[1][2])

case("endless answer")
count, causes, seen, said = run(metrics(endlessly(200)))
check("dropped", causes, {})
check("requests", len(seen), 1)
count, causes, seen, said = run(metrics(endlessly(400)))
check("dropped", causes, {"http_400": count})
check("requests", len(seen), 1)

for status, cause in ((400, "http_400"), (401, "http_4xx"), (404, "http_4xx"), (408, "http_4xx"), (413, "http_413"),
                      (500, "http_5xx"), (501, "http_5xx"), (301, "http_other")):
    case(f"{status} is final")
    count, causes, seen, said = run(metrics(answer(status, b"\x12\x04nope")))
    check("dropped", causes, {cause: count})
    check("requests", len(seen), 1)
    check("said", f"HTTP {status}: nope" in said, True)

pauses = []


def tried_again(status):
    count, causes, seen, said = run(metrics(answer(status), answer(200)))
    check("dropped", causes, {})
    check("requests", len(seen), 2)
    pauses.append(seen[1][3] - seen[0][3])


for status in (429, 502, 503, 504):
    case(f"{status} is tried again")
    tried_again(status)

case("the pause has jitter")
# without chance every one would last 0.5 s and more; a slow machine adds to each, so one that is shorter is waited for
while min(pauses) >= 0.49 and len(pauses) < 40:
    tried_again(503)
check("one is shorter", min(pauses) < 0.49, True)
check("half of it is sure", min(pauses) >= 0.24, True)

case("Retry-After is waited for")
count, causes, seen, said = run(metrics(answer(429, b"", "Retry-After: 2"), answer(200)))
check("dropped", causes, {})
check("requests", len(seen), 2)
check("pause of 2 s", seen[1][3] - seen[0][3] >= 1.9, True)

case("503 for ever")
count, causes, seen, said = run(metrics(answer(503)))
check("dropped", causes, {"http_503": count})
check("was tried again", len(seen) > 1, True)

case("spans refused, metrics taken")
count, causes, seen, said = run({"/v1/traces": [answer(400)]}, "signals=metrics+traces")
spans = causes.get("http_400", 0)
check("only spans are lost", (0 < spans < count, list(causes)), (True, ["http_400"]))

case("partial success")
count, causes, seen, said = run({"/v1/traces": [answer(200, partial(4, "too old"))]}, "signals=metrics+traces")
check("dropped", causes, {"rejected": 4})
check("never sent again", sorted(s[0] for s in seen), ["/v1/metrics", "/v1/traces"])
check("said", f"rejected 4 of {spans} spans: too old" in said, True)
count, causes, seen, said = run(metrics(answer(200, partial(1, "bad name\x1b[2J"))))
check("dropped", causes, {"rejected": 1})
check("requests", len(seen), 1)
check("no escape sequence of a stranger's", "\x1b" in said, False)

case("more rejected than sent; answers that are no message")
count, causes, seen, said = run({"/v1/traces": [answer(200, partial(1 << 40, ""))]}, "signals=metrics+traces")
check("dropped", causes, {"rejected": spans})
for body in (b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"{}", b"\x0a\x02\x08\xff"):
    count, causes, seen, said = run(metrics(answer(200, body)))
    check("dropped", causes, {})

case("a buffer that is too small")
count, causes, seen, said = run({}, "signals=metrics+traces,buffer=1KiB")
check("dropped", causes, {"buffer_full": spans})

case("min_duration, max_depth, sample")
for option in ("min_duration=1h", "sample=0"):
    count, causes, seen, said = run({}, "signals=metrics+traces," + option)
    check("no spans", [s[0] for s in seen], ["/v1/metrics"])

for temporality in ("cumulative", "delta"):
    case(f"away while workers come and go, {temporality}")
    away = [answer(503), reset, answer(429), answer(200)]
    causes, seen, said = run_daemon({"/v1/metrics": away}, f"interval=50ms,temporality={temporality}", 4, count)
    check("dropped", causes, {})
    check("said", ("cannot send metrics" in said, "again" in said), (True, True))

case("deltas that are refused are gone, and counted")
causes, seen, said = run_daemon({"/v1/metrics": [answer(400)]}, "interval=50ms,temporality=delta", 2, count)
check("dropped", causes, {"http_400": 2 * count})

done()
