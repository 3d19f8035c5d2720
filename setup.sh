#!/usr/bin/env bash
# Installs what LinguaLinked Lab needs and this machine lacks, from Debian's own packages.
#   ./setup.sh          install what is missing (asks sudo for it when not root)
#   ./setup.sh --check  only say what is missing; exit code 1 when something is
#   ./setup.sh --worker [--check]   the same for a build of the worker alone (docs/phones.md)
# Debian 12 and 13 and what derives from them. Running it again changes nothing.
set -euo pipefail

# NAME* is what a build of the worker alone needs too (`cmake --preset worker`).
packages() {
  cat <<'LIST'
build-essential*       C++20 compiler and linker
cmake*                 configures the build
ninja-build*           runs the build
pkg-config*            finds SimGrid, CBC, ZeroMQ, xxHash
ccache                 makes the second build fast
jq                     reads results in experiments
curl                   downloads models (experiments/fetch-model)
ca-certificates        the same, over HTTPS
unzip                  the same: packages that hold parts of a model
git                    the tests' lint reads the list of files from it
libicu-dev             ICU: regular expressions and normal forms of tokenizers
libsentencepiece-dev   SentencePiece: tokenizers of model folders
libtorch-dev*          LibTorch: model import and numerics
libopenblas0-pthread*  fast matrix products for LibTorch (20 times the reference BLAS)
libhwy-dev*            Highway: matrix-vector products for decoding
libsimgrid-dev         SimGrid: simulated and emulated clusters
coinor-libcbc-dev      CBC: the optimising planner
coinor-libosi-dev      CBC's solver interface
coinor-libclp-dev      CBC's linear solver
coinor-libcgl-dev      CBC's cuts
coinor-libcoinutils-dev CBC's utilities
libfmt-dev*            formatting
nlohmann-json3-dev*    plans, graphs and logs as JSON
libyaml-cpp-dev*       cluster files
libcli11-dev*          the command line
libcsv-dev             tables of texts to classify, traces of requests
libxxhash-dev*         checksums and digests
libsqlitecpp-dev       results of sweeps
libzmq3-dev*           ZeroMQ: messages between real devices
cppzmq-dev*            ZeroMQ's C++ interface
libsodium-dev*         keys of devices, digests
libseccomp-dev*        workers that open no files once they run
libqrencode-dev*       join lines as pictures
libcpp-httplib-dev     HTTP: lingua serve, and its clients
libprotobuf-dev*       the wire format
protobuf-compiler*     the wire format
libgtest-dev           tests
libgmock-dev           tests
iproute2               tests: networks that are slow or cut
busybox-static         tests: the shell of phones that are pretended
parallel               tests: parts of a sweep, started side by side
time                   benchmarks: what a process takes
chromium               tests: pages of results, at several widths
librsvg2-bin           figures as PDF
fonts-liberation       the same: letters as wide as figures take them to be
libbenchmark-dev       benchmarks
python3-dev            the Python module
pybind11-dev           the Python module, built beside all else
python3-venv           tests: the Python module in an environment of its own
mandoc                 tests: the manual page
g++-aarch64-linux-gnu  the worker for phones (experiments/phones)
patchelf               the same: libraries that are named but not used
qemu-user-static       tests: phones
clang                  fuzzing: the compiler that has libFuzzer
libclang-rt-dev        fuzzing: libFuzzer itself
LIST
}

# The lint checks the layout with this very version, since versions disagree; Debian 12 has it.
readonly formatter=clang-format-14

die() {
  echo "setup.sh: $*" >&2
  exit 1
}

# For this machine's architecture; a package may be there for others besides.
installed() {
  dpkg-query -W -f '${db:Status-Status} ${Architecture}\n' "$1" 2>/dev/null |
    grep -qxE "installed ($(dpkg --print-architecture)|all)"
}

# Prints the lines of packages() whose package is not there, as far as they are needed for what is asked. On arm64 the
# compiler is one for phones already.
missing() {
  local name why
  packages | while read -r name why; do
    if $worker && [[ $name != *\* ]]; then continue; fi
    [[ $name != g++-aarch64-linux-gnu || $(dpkg --print-architecture) != arm64 ]] || continue
    installed "${name%\*}" || echo "${name%\*} $why"
  done
}

root_run() {
  if [[ $EUID -eq 0 ]]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo >/dev/null; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    die "needs root: run it as root, or install sudo"
  fi
}

# quietly COMMAND...: as root; what it prints is shown only when it fails.
quietly() {
  local log
  log=$(mktemp)
  root_run "$@" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    rm -f "$log"
    die "$* failed"
  }
  rm -f "$log"
}

install_missing() {
  local names=() name why
  while read -r name why; do names+=("$name"); done <<<"$1"
  quietly apt-get update -q
  for name in "${names[@]}"; do
    apt-cache show "$name" >/dev/null 2>&1 ||
      die "apt has no package '$name' (this is ${PRETTY_NAME:-unknown}); Debian 12 or 13 has it"
  done
  echo "setup.sh: installing ${#names[@]} packages and what they need; a few minutes"
  quietly apt-get install -y -q --no-install-recommends "${names[@]}"
}

main() {
  local check=false worker=false argument lacking
  for argument in "$@"; do
    case $argument in
      --check) check=true ;;
      --worker) worker=true ;;
      *) die "unknown argument '$argument'; write --check, --worker, both or nothing" ;;
    esac
  done
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    die "needs Debian 12 or 13, or a system that installs with apt"
  [[ -r /etc/os-release ]] && . /etc/os-release

  lacking=$(missing)
  if [[ -z "$lacking" ]]; then
    echo "setup.sh: nothing is missing"
  else
    echo "setup.sh: missing on ${PRETTY_NAME:-this system}:"
    sed 's/^/  /' <<<"$lacking"
    $check && exit 1
    install_missing "$lacking"
    [[ -z "$(missing)" ]] || die "still missing: $(missing | cut -d ' ' -f 1 | tr '\n' ' ')"
    echo "setup.sh: done"
  fi

  # Nice to have: where apt knows it.
  if ! $check && ! $worker && ! installed "$formatter" && apt-cache show "$formatter" >/dev/null 2>&1; then
    echo "setup.sh: installing $formatter for the lint"
    quietly apt-get install -y -q --no-install-recommends "$formatter"
  fi
}

main "$@"
