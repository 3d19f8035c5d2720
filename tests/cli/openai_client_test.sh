#!/usr/bin/env bash
# The Python client of OpenAI (PyPI) talks to Gemma 3 270M over three workers. openai_client_test.sh LINGUA [REQUESTS]
# Needs python3 with venv, the client (installed into the user's cache) and the model (experiments/fetch-model);
# without them it says so and ends with code 77 (skipped).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root lingua=$1 requests=${2:-60}
readonly venv=${XDG_CACHE_HOME:-$HOME/.cache}/lingua/openai

skip() { echo "skipped: $*"; exit 77; }

model=$("$root/experiments/fetch-model" gemma3-270m) || skip "no model"
if ! "$venv/bin/python" -c 'import openai' 2>/dev/null; then
  python3 -m venv "$venv" >/dev/null 2>&1 || skip "no python3 with venv"
  timeout 120 "$venv/bin/pip" -q install 'openai>=1.40,<3' >/dev/null 2>&1 || skip "PyPI has not given the client"
fi

folder=$(mktemp -d)
"$lingua" serve "$model" --local --workers 3 --planner even --int8 all --chat-template gemma \
  --http '127.0.0.1:*' 2>"$folder/err" &
service=$!
trap 'kill "$service" 2>/dev/null; wait "$service"; rm -rf "$folder"' EXIT
for ((i = 0; i < 1200; ++i)); do
  url=$(sed -nE 's#^serving at (http://.*)/v1$#\1#p' "$folder/err")
  [[ -z $url ]] || break
  kill -0 "$service" 2>/dev/null || { cat "$folder/err"; exit 1; }
  sleep 0.1
done
timeout 240 "$venv/bin/python" "$root/tests/cli/openai_client.py" "$url" "$requests" || { cat "$folder/err"; exit 1; }
kill -TERM "$service"
wait "$service"
code=$?
[[ $code == 143 ]] || { echo "FAILED: SIGTERM ended it with code $code"; exit 1; }
