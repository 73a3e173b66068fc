# SPDX-License-Identifier: MIT
# jq -e -n --slurpfile log LOG --slurpfile envelope ENVELOPE -f agree.jq: the result envelope, worked out again from the log.
# Percentiles may differ by 1.1 %; sums only by what doubles round.
def near($a; $b; $limit): ($a - $b | fabs) <= $limit * ($b | fabs);
def exact($q): sort | .[([1, ($q * length | ceil)] | max) - 1];

$envelope[0].all as $all
| ($log | map(select(.event == "telemetry.timing"))) as $timings
| ($timings | group_by(.scope) | map(
    .[0].scope as $scope
    | map(.duration_s) as $d
    | ($timings | map(select(.parent_scope == $scope and .depth > 0) | .duration_s) | add // 0) as $inside
    | $all.metrics.durations[$scope] as $told
    | $told.calls == length and near($told.total_s; $d | add; 1e-9) and $told.max_s == ($d | max)
      and near($told.self_s; ($d | add) - $inside; 1e-6) and near($told.mean_s; ($d | add) / length; 1e-9)
      and near($told.p50_s; $d | exact(0.5); 0.011) and near($told.p90_s; $d | exact(0.9); 0.011)
      and near($told.p99_s; $d | exact(0.99); 0.011)
    | if . then . else "\($scope) differs: \($told)" | halt_error(1) end) | all)
  and ($timings | map(.scope) | unique) == ($all.metrics.durations | keys)
  and ($log | map(select(.metric_type == "counter")) | group_by(.scope)
       | map({(.[0].scope): (map(.value) | add)}) | add // {}) == $all.usage
  and ($log | map(select(.metric_type == "gauge")) | group_by(.scope)
       | map($all.metrics.gauges[.[0].scope] as $told | (map(.value) | min) == $told.min and (map(.value) | max) == $told.max
             and length == $told.count and near($told.mean; (map(.value) | add) / length; 1e-9)) | all)
