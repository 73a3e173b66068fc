# SPDX-License-Identifier: MIT
# What the log of stranger.c must say, field by field. In: all lines (jq -s). Out: the names of what does not hold.
def timing(scope): map(select(.event == "telemetry.timing" and .scope == scope));
def metric(scope): map(select(.event == "telemetry.metric" and .scope == scope));
def near(a; b): (a - b) | fabs < 1e-6;
. as $all
| [
    ["two lines of the worker", ([.[] | select(.event == "telemetry.worker") | .state] == ["started", "finished"])],
    ["the ledger", (.[-1] | .how == "exit" and .attempted == 8 and .delivered == 8 and ([.dropped[]] | add) == 0)],
    ["common fields", (all(.schema == 1 and .level == "info" and .pid == $all[0].pid and (.ts | test("^2.*Z$"))))],
    ["identity", (map(select(.seq)) | length == 8 and (group_by([.ring, .seq]) | length == 8)
        and all(.program == "stranger" and .service == "stranger" and (.segment | test("^[0-9a-f]{32}$"))
            and (.tid | type) == "number" and (.thread | type) == "string"))],
    ["scope", (timing("my.pipeline.step") | length == 1 and (.[0] | .depth == 0 and .parent_scope == null
        and .call_count == 1 and .metadata.batch_size == 16 and .metadata.model == "flash" and .metadata.dry == false
        and .metadata.error == "out of \"paper\"\n"))],
    ["times", ($all | map(select(.event == "telemetry.timing")) | all(.duration_s >= 0
        and near(.end_monotonic_s - .start_monotonic_s; .duration_s)
        and near(.end_wall_time_s - .start_wall_time_s; .duration_s)))],
    ["nested", (timing("my.pipeline.step.inner") | map(.call_count) == [1, 2]
        and all(.depth == 1 and .parent_scope == "my.pipeline.step") and map(.metadata.rows) == [1, 2])],
    ["redaction", (timing("my.pipeline.step.inner") | all(.metadata.api_key == "[redacted]"))],
    ["counter", (metric("my.pipeline.step.items_processed") | length == 1
        and (.[0] | .value == 3 and .metric_type == "counter" and .depth == 1 and .parent_scope == "my.pipeline.step"))],
    ["gauge", (metric("my.pipeline.step.token_efficiency") | .[0].value == 0.92 and .[0].metric_type == "gauge"
        and .[0].metadata == {"shard": 7})],
    ["sample", (metric("my.pipeline.step.queue_wait") | .[0].value == 1.5 and (.[0] | has("metric_type") | not)
        and (.[0] | has("monotonic_s") and has("wall_time_s")))],
    ["span", (timing("fetch") | length == 1 and .[0].depth == 0)],
    ["measured elsewhere", (timing("stage.2") | length == 1 and near(.[0].duration_s; 0.25))]
  ]
| map(select(.[1] | not) | .[0]) | .[]
