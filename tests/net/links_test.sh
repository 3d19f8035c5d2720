#!/usr/bin/env bash
# Cuts, resets and slows the links of a running cluster, each machine a network namespace of its own.
#   links_test.sh LINK_PEER few|all
# A coordinator and three workers: each link is cut, one way and both, before weights come, while they
# come and while tokens are made; each connection is reset, once, always, or whenever it is tried; each
# machine is unplugged; all links are slow. A run must end with one line that names the link or the
# device, or go on, and leave no process. Workers that never get through to each other go on through the
# coordinator. `few`: one of each kind.
# Needs root (for the namespaces), ip, tc and ss; without them it says so and ends with code 77
# (skipped). Cases for which this kernel lacks something are skipped by name.
set -uo pipefail

# shellcheck source=tests/net/machines.sh
. "$(dirname "${BASH_SOURCE[0]}")/machines.sh"

readonly peer=$1 selection=$2
readonly machines=(c w1 w2 w3) # the coordinator and its workers
readonly links=("c w1" "c w2" "c w3" "w1 w2" "w2 w3" "w3 w1")
readonly connections=("c w1" "c w2" "c w3" "w1 c" "w2 c" "w3 c" "w1 w2" "w2 w3" "w1 w3" "w3 w1") # from, to
readonly lanes=$([[ $selection == few ]] && echo 5 || echo 12) # clusters at once: each waits most of the time
loss=1           # seconds without a byte
tag=
folder=
failures=0

fail() {
  echo "FAILED $title: $*"
  tail -n 3 "$folder"/*.err | sed 's/^/    /'
  failures=$((failures + 1))
}

port() {
  case $1 in c) echo 5555 ;; w1) echo 5556 ;; w2) echo 5557 ;; w3) echo 5558 ;; esac
}

end_all() {
  local pid
  for pid in $(jobs -p); do kill -9 "$pid"; done 2>/dev/null
  wait 2>/dev/null
}

clean_up() {
  end_all
  remove_machines
  rm -rf "$folder"
}

# drop FROM TO: what FROM sends to TO vanishes without a word (to a card that nobody has).
drop() {
  ip -n "$tag-$1" neigh replace "$(address "$2")" lladdr 02:00:00:00:00:99 dev eth nud permanent
}

# refuse FROM TO: what FROM sends to TO is answered with a reset (FROM has the address itself, and
# nothing listens there), and what comes from TO vanishes.
refuse() { ip -n "$tag-$1" addr add "$(address "$2")/32" dev lo; }

# break_connection MACHINE END...: where one end is at MACHINE and is what ss calls END. It fails, and says
# so, where nothing is broken.
break_connection() {
  local connection=(state established "${@:2}")
  [[ -z $(in_machine "$1" ss -tnHK "${connection[@]}" 2>/dev/null) ]] || return 0
  nothing_broken "$1" "${connection[@]}"
  return 1
}

# nothing_broken MACHINE CONNECTION...: says why.
nothing_broken() {
  if [[ -n $(in_machine "$1" ss -tnH "${@:2}") ]]; then
    echo "$title: skipped: this kernel resets no connections (INET_DIAG_DESTROY)"
  else
    fail "there is no connection to reset"
  fi
}

# reset FROM TO: the connection that FROM made to TO, once; both ends hear of it.
reset() { break_connection "$1" dst "$(address "$2"):$(port "$2")"; }

# forget FROM TO: the same, at the end of TO, and FROM hears of it when it sends more.
forget() {
  local code=0
  drop "$2" "$1"
  break_connection "$2" src "$(address "$2"):$(port "$2")" dst "$(address "$1")" || code=1
  ip -n "$tag-$2" neigh flush dev eth nud permanent
  return $code
}

# reset_always FROM TO: every connection between them, as soon as it is seen, until end_all; it goes into
# the folder's `broken`.
reset_always() {
  ip netns exec "$tag-$1" bash -c 'while sleep 0.02; do ss -tnHK state established dst "$0"; done' \
    "$(address "$2")" >"$folder/broken" 2>/dev/null &
}

# slow RATE QUEUE: from the switch to each machine; QUEUE: how long a packet may wait.
slow() {
  local name
  for name in "${machines[@]}"; do
    in_machine s tc qdisc replace dev "to-$name" root tbf rate "$1" burst 8kb latency "$2"
  done
}

heal() {
  local name
  for name in "${machines[@]}"; do
    ip -n "$tag-$name" addr flush dev lo to 10.77.0.0/24
    in_machine s tc qdisc del dev "to-$name" root 2>/dev/null
    ip -n "$tag-s" link set "to-$name" up
  done
  # All that the machines know of each other: who waits for an answer would ask again only a second later.
  for name in "${machines[@]}"; do ip -n "$tag-$name" neigh flush dev eth nud all 2>/dev/null; done
}

# start BALLAST PROMPT REQUESTS: see link_peer.cpp.
start() {
  rm -f "$folder"/*.err
  ip netns exec "$tag-c" "$peer" coordinate tcp://10.77.0.1:5555 $loss "$@" 2>"$folder/c.err" &
  coordinator=$!
  workers=()
  local name
  for name in w1 w2 w3; do
    ip netns exec "$tag-$name" "$peer" work $name "tcp://*:$(port $name)" \
      tcp://10.77.0.1:5555 $loss 2>"$folder/$name.err" &
    workers+=($!)
  done
}

# reach WORD: until the coordinator has said it.
reach() {
  local i
  for i in $(seq 400); do
    grep -qs "^$1" "$folder/c.err" && return
    sleep 0.05
  done
  fail "it never came to '$1'"
}

# ended SECONDS PID
ended() {
  local i
  for i in $(seq $(($1 * 20))); do
    kill -0 "$2" 2>/dev/null || return 0
    sleep 0.05
  done
  return 1
}

# must_end SECONDS CODE PATTERN: the coordinator, with this code and a last line like that; then the
# workers.
must_end() {
  local line code pid begin=$EPOCHREALTIME
  ended "$1" "$coordinator" || fail "the coordinator hangs"
  kill -9 "$coordinator" 2>/dev/null
  wait "$coordinator" 2>/dev/null
  code=$?
  line=$(tail -n 1 "$folder/c.err")
  [[ $code == "$2" ]] || fail "code $code instead of $2"
  [[ $line =~ $3 ]] || fail "not like '$3': $line"
  for pid in "${workers[@]}"; do
    ended $((loss * 2 + 8)) "$pid" || fail "a worker is left"
  done
  end_all
  echo "$title: $(seconds_since "$begin") s: $line"
}

# With one digit.
seconds_since() {
  local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
  echo "$((tenths / 10)).$((tenths % 10))"
}

# What is said when two machines do not get through to each other.
words() {
  case " $1 $2 " in
    *" c "*) local worker=${1/#c/}${2/#c/} && echo "$worker was lost|lost its link to $worker" ;;
    *) echo "$1 lost its link to $2|$2 lost its link to $1" ;;
  esac
}

# start_and_reach WHEN: what the coordinator has said last.
start_and_reach() {
  if [[ $1 == weights ]]; then
    slow 2mbit 300ms
    start 1000000 3 0
  else
    start 1000 3 0
  fi
  reach "$1"
}

# break_link WHEN HOW FROM TO [both]: HOW is drop or refuse.
break_link() {
  local when=$1 how=$2 from=$3 to=$4
  [[ $when == before ]] || start_and_reach "$when"
  "$how" "$from" "$to"
  [[ $# == 4 ]] || "$how" "$to" "$from"
  [[ $when != before ]] || start 1000 3 0
  if [[ $when != before ]]; then
    must_end $((loss * 4 + 6)) 5 "$(words "$from" "$to")"
  elif [[ $from == c || $to == c ]]; then
    must_end 15 5 "2 of 3 devices have joined.*${from/#c/}${to/#c/} missing"
    ! grep -q '^weights' "$folder/c.err" || fail "weights were sent before the ways were tried"
  else
    must_relay
  fi
  heal
}

# must_relay: tokens are made, through the coordinator; when that ends, so do the workers.
must_relay() {
  local pid
  reach running
  grep -q "comes through here" "$folder/c.err" || fail "nothing went through the coordinator"
  kill -9 "$coordinator"
  wait "$coordinator" 2>/dev/null
  for pid in "${workers[@]}"; do
    ended $((loss * 2 + 8)) "$pid" || fail "a worker is left"
  done
  end_all
  echo "$title: runs through the coordinator"
}

cut() {
  title="cut: $*"
  break_link "$1" drop "${@:2}"
}

refused() {
  title="refused: $*"
  break_link "$1" refuse "${@:2}"
}

# once WHEN HOW FROM TO: HOW is reset or forget.
once() {
  title="once: $*"
  start_and_reach "$1"
  if "$2" "$3" "$4"; then
    must_end $((loss * 4 + 6)) 5 "$(words "$3" "$4")"
  else
    end_all
  fi
  heal
}

# comes_through: within 15 s something goes through the coordinator; else it has ended, or hangs.
comes_through() {
  local i
  for i in $(seq 300); do
    ! grep -qs "comes through here" "$folder/c.err" || return 0
    kill -0 "$coordinator" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}

# It may come through between two resets, so that it is lost later or not at all.
always_reset() {
  title="always reset: $*"
  reset_always "$1" "$2"
  start 1000 3 0
  local i
  for i in $(seq 100); do
    [[ ! -s $folder/broken ]] || break
    sleep 0.05
  done
  if [[ -s $folder/broken && $1 != c ]] && comes_through; then
    must_relay
  elif [[ -s $folder/broken ]]; then
    must_end 15 5 "$(words "$1" "$2")|device '$2' was lost while joining|2 of 3 devices have joined.*missing"
  else
    nothing_broken "$1" state established dst "$(address "$2")"
    end_all
  fi
  heal
}

# gone WHEN MACHINE
gone() {
  title="$2 unplugged, $1"
  if [[ $1 == weights ]]; then slow 2mbit 300ms; fi
  start 1000000 3 0
  reach "$1"
  ip -n "$tag-s" link set "to-$2" down
  must_end $((loss * 4 + 6)) 5 "w[123] was lost|lost its link"
  heal
}

# go_on RATE QUEUE LOSS: a megabyte of weights to two workers, and a prompt of 40,000 tokens, whose
# tensors are one message of a megabyte from worker to worker. At 0.5 Mbit/s each takes longer than
# silence is borne.
go_on() {
  title="$1, queue of $2, loss after $3 s"
  loss=$3
  slow "$1" "$2"
  start 1000000 40000 1
  must_end 150 0 "running"
  heal
  loss=1
}

cases() {
  local when link from to
  if [[ $selection == few ]]; then
    printf '%s\n' "go_on 1mbit 300ms 2" "cut weights w2 w3" "cut running w3 w1" "cut before w1 w2" \
      "cut running c w2" "once running reset w1 w2" "cut before c w3 both" "gone running w2"
    return
  fi
  for when in 500kbit 1mbit 4mbit 10mbit; do
    printf 'go_on %s\n' "$when 300ms 2" "$when 4s 10"
  done
  for when in before weights running; do
    for link in "${links[@]}"; do
      read -r from to <<<"$link"
      printf 'cut %s\n' "$when $from $to" "$when $to $from" "$when $from $to both"
    done
  done
  for when in before running; do
    for link in "${links[@]}"; do
      read -r from to <<<"$link"
      printf 'refused %s\n' "$when $from $to" "$when $to $from"
    done
  done
  printf 'always_reset %s\n' "${links[@]}"
  for when in weights running; do
    printf "once $when reset %s\n" "${connections[@]}"
    printf "once $when forget %s\n" "${connections[@]}"
    for from in "${machines[@]}"; do echo "gone $when $from"; done
  done
}

# Every `lanes`th case, on a cluster of its own.
lane() {
  local number=0 line
  tag="lnk$$-$1"
  folder=$(mktemp -d)
  trap clean_up EXIT
  make_machines 2>/dev/null || exit 77
  while read -r line; do
    if [[ $((number++ % lanes)) == "$1" ]]; then $line </dev/null; fi
  done < <(cases)
  [[ $failures -eq 0 ]]
}

main() {
  local pids=() pid number code=0 one
  title=
  skip_without ip tc ss
  for ((number = 0; number < lanes; ++number)); do
    (lane $number) &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid"
    one=$?
    [[ $one -le $code ]] || code=$one
  done
  [[ $code -ne 77 ]] || skip "this system makes no network namespaces"
  echo "$(cases | wc -l) cases in $SECONDS s"
  exit $code
}

main
