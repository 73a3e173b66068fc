# SPDX-License-Identifier: MIT
import collections, json, sys
totals = collections.Counter()
def record_timing(event):
    totals[event["scope"]] += event["duration_s"]
def record_metric(event):
    if event.get("metric_type") == "counter":
        totals[event["scope"]] += event["value"]
for event in map(json.loads, sys.stdin):
    {"telemetry.timing": record_timing, "telemetry.metric": record_metric}.get(event["event"], len)(event)
print(*totals.most_common(), sep="\n")
