#!/usr/bin/env bash
# What somebody who listens on the network gets of a run: captured_test.sh LINGUA
# A coordinator and three workers, each a machine of its own, join by the lines that the coordinator prints,
# and all that goes over their switch is recorded. Of the prompt, the answer, the weights, the programs, the
# devices and the keys nothing may be in it; with --insecure the same search must find what travels then (a
# prompt does as token ids; keys do not at all). What is seen are addresses, sizes and times, and CURVE's own
# words: that it is CURVE and which end listens, public keys made for this connection only, counters.
# Then what was recorded is sent to the same coordinator and workers again while they run once more: nothing
# comes back but the beginning of a handshake, and the run says what it should. Plain workers and coordinators
# find no way in.
# Needs root (for the namespaces), ip and python3; without them it says so and ends with code 77 (skipped).
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/net/machines.sh
. "$here/machines.sh"

readonly lingua=$1
readonly machines=(c w1 w2 w3 e) # the coordinator, its workers, and somebody else
readonly workers=(w1 w2 w3)
readonly devices=(phone-anna phone-berta phone-clara)
readonly memory=1234567891 # bytes that each worker says it has
readonly prompt="Meet me behind the old windmill at midnight, and bring the crimson envelope."
readonly tag=cap$$

make_model() {
  "$lingua" model random bloom:hidden=64,layers=4,heads=4,vocabulary=604 --seed 3 -o "$model" &>/dev/null &&
    cp "$here/../text/golden/bloom.tokenizer.json" "$model/tokenizer.json" &&
    "$lingua" tokenize --model "$model" --text "$prompt" --json >"$folder/prompt.json" || return 1
  equal_devices "${devices[@]}" >"$folder/cluster.yaml"
}

# begin ARGUMENT...: a coordinator that waits.
begin() {
  start_run --cluster "$folder/cluster.yaml" --planner even --rule lingualinked "${job[@]}" "$@"
}

# worker NUMBER ARGUMENT...
worker() {
  start_lingua "${workers[$1]}" worker --once --memory "$memory B" "${@:2}"
  running+=($!)
}

# finish: the run and its workers end with 0; `tokens` are the answer's.
finish() {
  local pid
  wait "$coordinator" || fail "the coordinator ended with $?"
  for pid in "${running[@]}"; do wait "$pid" || fail "a worker ended with $?"; done
  running=()
  tokens=$(jq -c '.requests[0].tokens' "$folder/c.out")
}

# record NAME: until stop_recording.
record() {
  ip netns exec "$tag-s" python3 "$here/capture.py" record "$folder/$1" "${machines[@]/#/to-}" \
    >"$folder/recorder" 2>&1 &
  recorder=$!
  until grep -qs ready "$folder/recorder"; do
    kill -0 "$recorder" 2>/dev/null || return 1
    sleep 0.05
  done
}

stop_recording() {
  kill "$recorder"
  wait "$recorder" || fail "the recording is not whole: $(tail -n 1 "$folder/recorder")"
}

# search CAPTURE none|all
search() {
  python3 "$here/run_secrets.py" "$folder" "$model" "$prompt" "$memory" "${devices[@]}" >"$folder/secrets.json"
  python3 "$here/capture.py" search "$folder/$1" "$folder/secrets.json" --expect "$2" || fail "$1: not $2 of it"
}

# refused MACHINE PATTERN ARGUMENT...: a worker there ends with code 5 and one line.
refused() {
  local code said
  start_lingua "$1" worker --once "${@:3}"
  wait $!
  code=$?
  said=$(<"$folder/$1.err")
  [[ $code == 5 && $(wc -l <<<"$said") == 1 && $said =~ ^"lingua: ".*$2 ]] || fail "code $code, not like '$2': $said"
}

secured_run() {
  local i
  echo "secured:"
  record secured.pcap || return 1
  begin --max-tokens 24
  for i in 0 1 2; do worker "$i" --join "$(join_line "${devices[i]}")"; done
  finish
  stop_recording
  [[ $tokens == "$reference" ]] || fail "secured: $tokens, not $reference"
  search secured.pcap none
}

insecure_run() {
  local i
  echo "with --insecure:"
  record insecure.pcap || return 1
  begin --max-tokens 24 --insecure --listen tcp://10.77.0.1:5555
  for i in 0 1 2; do
    worker "$i" --insecure --coordinator tcp://10.77.0.1:5555 --name "${devices[i]}" \
      --listen "tcp://$(address "${workers[i]}"):*"
  done
  finish
  stop_recording
  [[ $tokens == "$reference" ]] || fail "insecure: $tokens, not $reference"
  search insecure.pcap all
}

# The workers listen where they listened then.
replayed() {
  local i replayer port
  echo "sent again, secured:"
  begin --max-tokens 400
  ip netns exec "$tag-e" python3 "$here/capture.py" replay "$folder/secured.pcap" --expect sealed \
    >"$folder/replays" 2>&1 &
  replayer=$!
  sleep 3
  refused e "wants keys" --insecure --coordinator tcp://10.77.0.1:5555 --name "${devices[0]}"
  for i in 0 1 2; do
    port=$(python3 "$here/capture.py" port "$folder/secured.pcap" "$(address "${workers[i]}")")
    worker "$i" --coordinator tcp://10.77.0.1:5555 --name "${devices[i]}" --listen "tcp://*:$port"
  done
  finish
  kill "$replayer"
  wait "$replayer" || fail "more came back than the beginning of a handshake"
  cat "$folder/replays"
  [[ $tokens == "$long_reference" ]] || fail "beside it: $tokens, not $long_reference"
}

replayed_insecure() {
  echo "sent again, with --insecure:"
  begin --max-tokens 24 --insecure --listen tcp://10.77.0.1:5555 --loss-timeout 1
  in_machine e python3 "$here/capture.py" replay "$folder/insecure.pcap" --expect open --once --to 10.77.0.1 ||
    fail "nothing came back"
  refused w1 "was it started with --insecure" --coordinator tcp://10.77.0.1:5555 --name "${devices[0]}"
  kill "$coordinator"
  wait "$coordinator"
}

reference_tokens() {
  "$lingua" reference "${job[@]}" --json --max-tokens "$1" | jq -c '.requests[0].tokens'
}

main() {
  skip_without ip python3 jq
  enter_machines
  readonly model=$folder/windmill-model
  readonly job=(--model "$model" --threads 1 --prompt "$prompt" --temperature 0.9 --seed 5 --ignore-eos)
  running=()
  make_model || exit 1
  reference=$(reference_tokens 24)
  long_reference=$(reference_tokens 400)
  secured_run || skip "nothing can be recorded here"
  [[ $failures -ne 0 ]] || insecure_run
  [[ $failures -ne 0 ]] || replayed
  [[ $failures -ne 0 ]] || replayed_insecure
  [[ $failures -eq 0 ]] && echo "all as expected in $SECONDS s"
}

main
