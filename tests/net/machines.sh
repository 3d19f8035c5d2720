# shellcheck shell=bash disable=SC2034,SC2154
# Machines of a script's own, which sources this: network namespaces on one switch, and `lingua` on them.
# Needs root and ip (iproute2). REQUIRES: `machines`, in the order of their addresses, and `tag`, unlike those
# of others that run now; for `lingua` the program `lingua` and `folder`, where its output and each user's
# home are. Without a tag all users of `lingua` are on this machine.

# Ends the test with the code for "skipped".
skip() {
  echo "$(basename "$0"): skipped: $*"
  exit 77
}

# skip_without TOOL...: or without root.
skip_without() {
  local tool
  [[ $EUID -eq 0 ]] || skip "not root"
  for tool in "$@"; do command -v "$tool" >/dev/null || skip "no $tool"; done
}

failures=0

# fail WORDS: counts it, with what programs have said last.
fail() {
  echo "FAILED: $*"
  grep -sH . "$folder"/*.err | tail -n 20 | sed "s,^$folder/,    ,"
  failures=$((failures + 1))
}

# equal_devices NAME...: a cluster file.
equal_devices() {
  echo "name: equal"
  echo "devices:"
  printf '  - {name: %s, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 GB}\n' "$@"
  echo "links: {default: {bandwidth: 10 MB/s, latency: 1 ms}}"
}

# address MACHINE
address() {
  local i
  for i in "${!machines[@]}"; do
    if [[ ${machines[i]} == "$1" ]]; then echo "10.77.0.$((i + 1))"; fi
  done
}

# A command in the background is better started by ip itself, for a signal to reach it.
in_machine() { ip netns exec "$tag-$1" "${@:2}"; }

# A switch in a namespace of its own (TAG-s), and a cable from it (to-MACHINE) to each machine (eth), which
# answers for the address of that cable only.
make_machines() {
  local name
  ip netns add "$tag-s" && ip -n "$tag-s" link add name switch type bridge &&
    ip -n "$tag-s" link set switch up || return 1
  for name in "${machines[@]}"; do
    ip netns add "$tag-$name" &&
      ip -n "$tag-s" link add "to-$name" type veth peer name eth netns "$tag-$name" &&
      ip -n "$tag-s" link set "to-$name" master switch up &&
      ip -n "$tag-$name" addr add "$(address "$name")/24" dev eth &&
      ip -n "$tag-$name" link set eth up && ip -n "$tag-$name" link set lo up &&
      in_machine "$name" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore' || return 1
  done
}

remove_machines() {
  local name
  for name in s "${machines[@]}"; do ip netns del "$tag-$name"; done 2>/dev/null
}

# `folder`, and the machines; the end of the script takes both away.
enter_machines() {
  folder=$(mktemp -d)
  readonly folder
  trap leave_machines EXIT
  make_machines 2>/dev/null || skip "this system makes no network namespaces"
}

# Ends what this script has started, and takes the machines and the folder away.
leave_machines() {
  local pids
  mapfile -t pids < <(jobs -p)
  [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null
  wait
  [[ -z $tag ]] || remove_machines
  rm -rf "$folder"
}

# start_lingua MACHINE ARGUMENT...: in the background ($!), for `limit` seconds at most, two minutes where it is not set.
start_lingua() {
  local there=()
  [[ -z $tag ]] || there=(ip netns exec "$tag-$1")
  rm -f "$folder/$1".{out,err} # which the one before has left
  timeout "${limit:-120}" "${there[@]}" env -u XDG_CONFIG_HOME -u XDG_CACHE_HOME HOME="$folder/home-$1" \
    "$lingua" "${@:2}" >"$folder/$1.out" 2>"$folder/$1.err" &
}

# start_run ARGUMENT...: `lingua run --json` on machine c, until it has said how to join, or has ended;
# `coordinator` is its process.
start_run() {
  local i said
  start_lingua c run --json "$@"
  coordinator=$!
  for ((i = 0; i < 600; ++i)); do
    sleep 0.05
    kill -0 "$coordinator" 2>/dev/null || return 0
    said=$(cat "$folder/c.err" 2>/dev/null)
    [[ $said =~ "waiting for "([0-9]+) ]] || continue
    [[ $said != *"--insecure: "* && $(grep -c ' --join ' <<<"$said") -lt ${BASH_REMATCH[1]} ]] || return 0
  done
}

# join_line DEVICE: as the coordinator has printed it.
join_line() { sed -nE "s/^ +$1, .*--join //p" "$folder/c.err"; }
