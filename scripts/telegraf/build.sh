#!/usr/bin/env bash
# Builds the Telegraf that the bench `pipeline` measures the station beside, unless it is there, and prints where it is.
# Only the plugins that the bench uses are in it. It takes half a minute, once for each version; what the compiler says
# is in a log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(sed -nE 's|^(require)?[[:space:]]*github.com/influxdata/telegraf v([^[:space:]]+).*|\2|p' go.mod)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/infusion-monitor/telegraf-$version"
program="$folder/telegraf"
log="$folder/build.log"

refuse() {
  echo "no Telegraf here, $1: the bench goes without it" >&2
  exit 1
}

found() {
  [ ! -x "$program" ] || { echo "$program"; exit 0; }
}

found
command -v go >/dev/null 2>&1 || refuse "for want of go"

mkdir -p "$folder"
# Two builds at a time would write the same file; the second one waits and then finds the first one's program.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$folder/lock"
  flock 9
  found
fi

build() {
  # A newer Go than this one, should Telegraf ask for one, is not fetched in passing.
  GOTOOLCHAIN=local CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false \
    -tags custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.json_v2 \
    -ldflags "-X github.com/influxdata/telegraf/internal.Version=$version -s -w" \
    -o "$folder/unproven" github.com/influxdata/telegraf/cmd/telegraf
  "$folder/unproven" version
}

echo "building Telegraf $version for the bench, once; this takes half a minute (log: $log)" >&2
# Not "if build": within a condition the shell would go on after an error.
set +e
(set -e; build) >"$log" 2>&1 </dev/null
status=$?
set -e
[ "$status" -eq 0 ] || refuse "its build failed, see $log"
mv "$folder/unproven" "$program"
echo "$program"
