# shellcheck shell=bash
# Downloads that are checked and resumed, for the scripts that source this. Progress goes to standard error.
# REQUIRES: curl, jq, sha256sum (need); set -euo pipefail.
# Exit codes: 3 what came is not what was published; 5 no answer, or a tool is missing.
# Environment: PIP_INDEX_URL (a mirror of PyPI; default https://pypi.org/simple).

program=$(basename "$0")
readonly program
readonly index=${PIP_INDEX_URL:-https://pypi.org/simple}

die() {
  local code=$1
  shift
  echo "$program: $*" >&2
  exit "$code"
}

say() { echo "$program: $*" >&2; }

# need TOOL...: ends the program where one is missing.
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die 5 "needs $tool; ./setup.sh installs it"
  done
}

# ask URL [CURL OPTION...]: to standard output. The token goes to the hub alone, where a script has one.
ask() {
  local url=$1
  shift
  local auth=()
  if [[ -n ${HF_TOKEN:-} && -n ${hub:-} && $url == "$hub"/* ]]; then auth=(-H "Authorization: Bearer $HF_TOKEN"); fi
  curl -fsSL --retry 3 --connect-timeout 20 "${auth[@]}" "$@" "$url"
}

# The same for a page; ends the program with curl's reason and HINT when there is no answer.
page() {
  local hint=$1 errors
  shift
  errors=$(mktemp)
  ask "$@" 2>"$errors" || {
    local why
    why=$(tail -n 1 "$errors")
    rm -f "$errors"
    die 5 "$1: ${why#curl: }$hint"
  }
  rm -f "$errors"
}

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# download URL FILE [SHA256]: FILE appears whole and checked, or not at all.
download() {
  local url=$1 file=$2 sum=${3:-} meter=(--no-progress-meter) hint= got
  if [[ -t 2 ]]; then meter=(--progress-bar); fi
  if [[ -e $file ]]; then
    if [[ -z $sum || $(sha256_of "$file") == "$sum" ]]; then return; fi
    say "$file is not what was published; fetching it again"
  fi
  say "fetching $(basename "$file")"
  mkdir -p "$(dirname "$file")"
  # A server that cannot resume, or a part that is complete or stale: once more from the start.
  ask "$url" "${meter[@]}" -C - -o "$file.part" 2>/dev/null || {
    rm -f "$file.part"
    [[ $url != "${hub:-no hub}"/* ]] || hint=" (a gated model needs HF_TOKEN)"
    page "$hint" "$url" "${meter[@]}" -o "$file.part"
  }
  if [[ -n $sum ]]; then
    got=$(sha256_of "$file.part")
    if [[ $got != "$sum" ]]; then
      rm -f "$file.part"
      die 3 "$url: has SHA-256 $got, but $sum was published"
    fi
  fi
  mv "$file.part" "$file"
}

# package_page PACKAGE: what PyPI lists of it, as JSON.
package_page() {
  page "" "$index/$1/" -H 'Accept: application/vnd.pypi.simple.v1+json'
}
