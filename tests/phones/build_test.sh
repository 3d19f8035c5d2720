#!/usr/bin/env bash
# What experiments/phones/build refuses, in one line each, and that it leaves nothing half-made.
# Needs the bundle, of which it takes what was downloaded; without it, it ends with code 77 (skipped).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root kept=${LINGUA_PHONES:-${XDG_CACHE_HOME:-$HOME/.cache}/lingua/phones} to=$root/build/phones
failures=0
server=

skip() {
  echo "build_test.sh: skipped: $*"
  exit 77
}

# What a build may not change.
state() { (cd "$to" && ls -A && cat lingua-arm64/bundle.json && stat -c '%Y %s' lingua-arm64.tar.gz); }

# expect CODE WORDS COMMAND...: ends with CODE and a last line with WORDS.
expect() {
  local code=$1 words=$2 got=0 said before after
  shift 2
  before=$(state)
  said=$("$@" 2>&1) || got=$?
  [[ $got == "$code" && $(tail -n 1 <<<"$said") == "build: "*"$words"* && $(wc -l <<<"$said") -le 3 ]] || {
    echo "FAILED: code $got, not $code with '$words': $said"
    failures=$((failures + 1))
  }
  after=$(state)
  [[ $after == "$before" && -z $(find "$work/downloads" -name '*.part' -o -name 'work-*') ]] || {
    echo "FAILED: '$words' leaves something: $(diff <(echo "$before") <(echo "$after")) $(find "$work/downloads")"
    failures=$((failures + 1))
  }
}

# build [NAME=VALUE|COMMAND]...: in that environment.
build() { env LINGUA_PHONES="$work/downloads" "$@" "$root/experiments/phones/build"; }

# A PATH without one tool.
tools_without() {
  local folder
  mkdir -p "$work/tools"
  for folder in /usr/bin /bin; do ln -sf "$folder"/* "$work/tools/" 2>/dev/null; done
  rm "$work/tools/$1"
  echo "$work/tools"
}

# serve WHEEL: an index of PyPI with a file in the place of LibTorch, at `address`.
serve() {
  local i
  mkdir -p "$work/index/torch"
  echo "not LibTorch" >"$work/index/torch/$1"
  python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/index" >"$work/served" 2>&1 &
  server=$!
  for ((i = 0; i < 200; ++i)); do
    address=$(sed -nE 's,.*\((http://[0-9.:]+)/\).*,\1,p' "$work/served")
    [[ -z $address ]] || break
    sleep 0.05
  done
  jq -n --arg name "$1" --arg url "$address/torch/$1" '{files: [{filename: $name, url: $url}]}' >"$work/index/torch/index.html"
}

main() {
  local wheel packages
  wheel=$(sed -nE 's/^readonly wheel=//p' "$root/experiments/phones/build")
  packages=$(find "$kept" -maxdepth 2 -name SHA256SUMS -printf '%h\n' 2>/dev/null | head -n 1)
  [[ -e $to/lingua-arm64/bundle.json && -n $packages ]] || skip "no bundle: experiments/phones/build makes it"
  work=$(mktemp -d)
  readonly work
  trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
  mkdir "$work/downloads"

  expect 2 "unknown argument '--fast'" "$root/experiments/phones/build" --fast
  expect 5 "needs aarch64-linux-gnu-g++; ./setup.sh installs it" build PATH="$(tools_without aarch64-linux-gnu-g++)"
  if unshare --user --map-root-user --mount --net true 2>/dev/null; then
    expect 5 "Failed to fetch http" build unshare --user --map-root-user --net
    # shellcheck disable=SC2016
    expect 5 " MB of disk are free; the build needs 200 MB" build unshare --user --map-root-user --mount \
      sh -c 'mount -t tmpfs -o size=50m none "$LINGUA_PHONES" && "$0"'
  fi
  cp -r "$packages" "$work/downloads/"
  expect 5 "http://127.0.0.1:1/simple/torch/: " build PIP_INDEX_URL=http://127.0.0.1:1/simple
  serve "$wheel"
  expect 3 "$wheel: has SHA-256 " build PIP_INDEX_URL="$address"
  kill "$server"
  serve another.whl
  expect 5 "/torch/: does not list $wheel" build PIP_INDEX_URL="$address"
  [[ $failures -eq 0 ]] || exit 1
  echo "all as expected"
}

main "$@"
