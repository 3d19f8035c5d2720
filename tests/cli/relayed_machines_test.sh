#!/usr/bin/env bash
# Three workers that no machine can connect to, each a machine of its own: relayed_machines_test.sh LINGUA
# They listen on an address that is theirs alone, and their network keeps them apart; one says so (--relayed), of the
# others it is noticed. All that they send each other goes through the coordinator: the tokens are those of one process,
# and the plan, the lines and the JSON say how. One that is killed and one that is unplugged in mid-run are noticed, and
# the run goes on with the same tokens.
# Needs root (for the namespaces), ip and jq; without them it says so and ends with code 77 (skipped).
set -uo pipefail

# shellcheck source=tests/net/machines.sh
. "$(cd "$(dirname "${BASH_SOURCE[0]}")/../net" && pwd)/machines.sh"

readonly lingua=$1 machines=(c w1 w2 w3) devices=(anna ben carla) tag=rel$$

# Each machine has an address on itself, which the others have no way to, and its packets to the other workers vanish.
keep_apart() {
  local i other
  for i in 1 2 3; do
    ip -n "$tag-w$i" addr add "10.88.0.$i/32" dev lo || return 1
    for other in 1 2 3; do
      [[ $other == "$i" ]] ||
        ip -n "$tag-w$i" neigh replace "$(address "w$other")" lladdr 02:00:00:00:00:99 dev eth nud permanent || return 1
    done
  done
}

# begin ARGUMENT...: a run, and its workers; `workers` are their processes.
begin() {
  local i ways=(--relayed "--listen tcp://10.88.0.2:*" "--listen tcp://10.88.0.3:*")
  start_run --cluster "$folder/cluster.yaml" --planner even "${job[@]}" --loss-timeout 1 "$@"
  workers=()
  for i in 0 1 2; do
    # shellcheck disable=SC2086
    start_lingua "w$((i + 1))" worker --once --loss-timeout 1 ${ways[i]} --join "$(join_line "${devices[i]}")"
    workers+=($!)
  done
}

# says PATTERN [FILE]: within half a minute.
says() {
  local i
  for ((i = 0; i < 600; ++i)); do
    ! grep -qsE "$1" "$folder/${2:-c}.err" || return 0
    kill -0 "$coordinator" 2>/dev/null || break
    sleep 0.05
  done
  grep -qsE "$1" "$folder/${2:-c}.err" || fail "nobody says '$1'"
}

# finish: the coordinator ends with 0 and with the tokens.
finish() {
  local tokens
  wait "$coordinator" || fail "the coordinator ended with $?"
  tokens=$(jq -c '[.requests[].tokens]' "$folder/c.out")
  [[ -n $tokens && $tokens == "$expected" ]] || fail "$tokens, not $expected"
}

whole() {
  local pid
  begin --max-tokens 12
  finish
  for pid in "${workers[@]}"; do wait "$pid" || fail "a worker ended with $?"; done
  says "'anna' takes no connections; what other devices send it comes through here"
  says "'ben' takes no connections \(it cannot be reached at tcp://10.88.0.2:"
  says "what other devices send comes through the coordinator at .*, as is asked for" w1
  says "which cannot connect to this one" w2
  says "planned with the way through this machine to anna, ben, carla"
  says "through the coordinator, in two hops: what other devices send to anna, ben, carla"
  says "through this machine came anna to ben \("
  jq -e '.relayed == ["anna", "ben", "carla"] and .devices_say.anna.relayed and
    ([.through_coordinator[] | select(.messages > 0 and .bytes > 0) | "\(.from) \(.to)"] |
      contains(["anna ben", "ben carla", "carla anna"])) and
    ([.peak_memory_bytes | .anna, .ben, .carla, .coordinator | . > 1e6] | all)' "$folder/c.out" >/dev/null ||
    fail "the JSON does not say it: $(jq -c '[.relayed, .devices_say, .through_coordinator, .peak_memory_bytes]' "$folder/c.out")"
}

# loses HOW REASON: ben, in mid-run.
loses() {
  begin --max-tokens 3000
  says "answering"
  sleep 1
  "$1"
  says "ben was lost.*$2"
  finish
}

kill_ben() { pkill -KILL -P "${workers[1]}"; }
unplug_ben() { ip -n "$tag-s" link set to-w2 down; }

main() {
  local model
  skip_without ip jq
  enter_machines
  keep_apart 2>/dev/null || skip "this system keeps no machines apart"
  model=$folder/model
  "$lingua" model random bloom:hidden=64,layers=6,heads=4,vocabulary=256 --seed 3 -o "$model" &>/dev/null || exit 1
  equal_devices "${devices[@]}" >"$folder/cluster.yaml"
  job=(--model "$model" --prompt-length 8 --threads 1 --ignore-eos)
  expected=$("$lingua" reference "${job[@]}" --max-tokens 12 --json | jq -c '[.requests[].tokens]')
  whole
  expected=$("$lingua" reference "${job[@]}" --max-tokens 3000 --json | jq -c '[.requests[].tokens]')
  loses kill_ben "the connection broke"
  loses unplug_ben "nothing has come from it for 1.00 s"
  [[ $failures -eq 0 ]]
}

main
