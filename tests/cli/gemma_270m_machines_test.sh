#!/usr/bin/env bash
# Gemma 3 270M over three machines that join by the lines that the coordinator prints: it says what it says in
# one process. gemma_270m_machines_test.sh LINGUA
# Needs root (for the namespaces), ip and the model (experiments/fetch-model); without them it says so and ends
# with code 77 (skipped).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/net/machines.sh
. "$root/tests/net/machines.sh"

readonly lingua=$1 machines=(c w1 w2 w3) devices=(xiaomi-14 oneplus-9 oneplus-6) tag=gem$$

main() {
  local model code job i pids=() expected got
  skip_without ip jq
  model=$("$root/experiments/fetch-model" gemma3-270m)
  code=$?
  [[ $code -ne 5 ]] || skip "no model"
  [[ $code -eq 0 ]] || exit 1
  enter_machines
  job=(--model "$model" --prompt "The capital of France is" --max-tokens 12 --threads 1)
  expected=$("$lingua" reference "${job[@]}" --json | jq -c '.requests[0] | [.tokens, .text]')
  start_run "${job[@]}" --cluster "$root/platforms/three-phones.yaml" --planner even
  for i in 0 1 2; do
    start_lingua "w$((i + 1))" worker --once --join "$(join_line "${devices[i]}")"
    pids+=($!)
  done
  for i in "$coordinator" "${pids[@]}"; do
    wait "$i" || { tail -n 3 "$folder"/*.err; exit 1; }
  done
  got=$(jq -c '.requests[0] | [.tokens, .text]' "$folder/c.out")
  [[ -n $got && $got == "$expected" ]] || { echo "FAILED: $got, not $expected"; exit 1; }
  echo "$got over three machines, $(jq .tokens_per_s "$folder/c.out") tokens/s"
}

main
