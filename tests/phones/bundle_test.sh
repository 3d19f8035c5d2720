#!/usr/bin/env bash
# Two arm64 workers from the bundle, each in an empty root under QEMU, beside one worker of this machine: in fp32 they say
# what plain LibTorch says in one process here; bf16 answers on processors without and with the instructions for it.
# bundle_test.sh LINGUA
# Needs the bundle (experiments/phones/build), QEMU and namespaces; without them it says so and ends with code 77 (skipped).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/net/machines.sh
. "$root/tests/net/machines.sh"

readonly lingua=$1 machines=(c x86) tag='' limit=300
readonly bundle=$root/build/phones/lingua-arm64 devices=(xiaomi-14 oneplus-9 oneplus-6)

# on_phone N CPU ARGUMENT...: the bundle's `lingua` in the root of phone N.
on_phone() { QEMU_CPU=$2 exec timeout "$limit" "$root/tests/phones/arm64_root" "$folder/phone-$1" /lingua-arm64/lingua "${@:3}"; }

is_as_it_says() {
  local bytes said
  bytes=$(du -sb "$bundle" | cut -f 1)
  [[ $bytes -lt 220000000 ]] || fail "the bundle has $bytes bytes unpacked"
  [[ $(du -sb "$folder/phone-1/lingua-arm64" | cut -f 1) == "$bytes" ]] || fail "what is packed is not what lies beside it"
  said=$(on_phone 1 max --version 2>&1)
  [[ $said == "lingua $(jq -r '"\(.version) (commit \(.commit))\nLibTorch \(.libtorch)"' "$bundle/bundle.json")"* ]] ||
    fail "--version says: $said"
  said=$(on_phone 1 max worker 2>&1)
  [[ $? -eq 2 && $said == "lingua: a worker needs --join LINE"* ]] || fail "a wrong command line: $said"
}

# answer DTYPE MODEL PROMPT CPU CPU: over two phones with these processors and this machine; prints the tokens.
answer() {
  local dtype=$1 model=$2 prompt=$3 i pids=()
  start_run --listen 'tcp://127.0.0.1:*' --model "$model" --dtype "$dtype" --prompt-tokens "$prompt" \
    --max-tokens 6 --threads 1 --loss-timeout 30 --cluster "$root/platforms/three-phones.yaml" --planner even
  for i in 1 2; do
    on_phone $i "${@:3+i:1}" worker --once --keys /keys --loss-timeout 30 --join "$(join_line "${devices[i - 1]}")" \
      >"$folder/phone-$i.out" 2>"$folder/phone-$i.err" &
    pids+=($!)
  done
  start_lingua x86 worker --once --loss-timeout 30 --join "$(join_line "${devices[2]}")"
  pids+=($!)
  for i in "$coordinator" "${pids[@]}"; do
    wait "$i" || { echo "process $i ended with $?: $(tail -qn 3 "$folder"/*.err)"; return 1; }
  done
  jq -c '.requests[0].tokens' "$folder/c.out"
}

# says_the_same NAME MODEL PROMPT: in fp32.
says_the_same() {
  local expected got start=$SECONDS
  expected=$("$lingua" reference "$2" --dtype fp32 --prompt-tokens "$3" --max-tokens 6 --json | jq -c '.requests[0].tokens')
  got=$(answer fp32 "$2" "$3" max cortex-a53)
  [[ -n $got && $got == "$expected" ]] || fail "$1: $got, not $expected"
  echo "$1 in fp32: $got, $((SECONDS - start)) s"
}

# answers_in_bf16 NAME MODEL PROMPT: on both kinds of processors.
answers_in_bf16() {
  local got start=$SECONDS
  got=$(answer bf16 "$2" "$3" cortex-a53 max)
  [[ $(jq length <<<"$got" 2>/dev/null) == 6 ]] || fail "$1 in bf16: $got"
  echo "$1 in bf16: $got, $((SECONDS - start)) s"
}

main() {
  local i golden prompt bloom
  [[ -e $bundle.tar.gz && -e $bundle ]] || skip "no bundle: experiments/phones/build makes it"
  command -v jq >/dev/null || skip "no jq"
  folder=$(mktemp -d)
  readonly folder
  trap leave_machines EXIT
  for i in 1 2; do
    mkdir "$folder/phone-$i"
    tar -C "$folder/phone-$i" -xzf "$bundle.tar.gz" || exit 1
  done
  (on_phone 1 max --version) >/dev/null 2>"$folder/why" || { [[ $? -ne 77 ]] || skip "$(<"$folder/why")"; }
  is_as_it_says

  "$lingua" model random bloom:hidden=128,layers=12,heads=4,vocabulary=512 -o "$folder/bloom" 2>"$folder/why" || { cat "$folder/why"; exit 1; }
  golden=$(python3 "$root/tests/phones/golden_model.py" llama "$folder/llama") || exit 1
  prompt=$(jq -r '.prompt | map(tostring) | join(",")' <<<"$golden")
  bloom=5,17,99,300,41,7,256,11,80,2
  says_the_same bloom "$folder/bloom" $bloom
  says_the_same llama "$folder/llama" "$prompt"
  answers_in_bf16 bloom "$folder/bloom" $bloom
  answers_in_bf16 llama "$folder/llama" "$prompt"
  grep -q 'not confined as it should be: .*system calls are not filtered' "$folder/phone-1.err" ||
    fail "QEMU knows no filters of system calls, and the worker does not say so: $(<"$folder/phone-1.err")"
  [[ $failures -eq 0 ]] || exit 1
  echo "all as expected"
}

main
