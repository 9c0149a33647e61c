#!/usr/bin/env bash
# Brings the programs that the tests use beside Python, where it can: as root, with apt; InfluxDB from its sources.
# Says in a line each what is missing and which tests that skips. With REQUIRE_SERVICES=1 missing ones fail the tests.
set -u

declare -A package=([mosquitto]=mosquitto [chromium]=chromium [pdftotext]=poppler-utils)
declare -A tests=(
  [mosquitto]="the MQTT tests against a real broker"
  [chromium]="the page's tests in a real browser"
  [pdftotext]="the tests that read a report's pages"
)

export PATH="$PATH:/usr/sbin"

apt_programs() {
  local program names=() missing=()
  for program in mosquitto chromium pdftotext; do
    command -v "$program" >/dev/null 2>&1 || missing+=("$program")
  done
  [ ${#missing[@]} -eq 0 ] && return

  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing with apt: ${missing[*]}"
    for program in "${missing[@]}"; do names+=("${package[$program]}"); done
    apt-get update -qq >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" fonts-dejavu-core \
      >/dev/null 2>&1
  fi

  for program in "${missing[@]}"; do
    command -v "$program" >/dev/null 2>&1 || echo "no $program here: ${tests[$program]} are skipped"
  done
}

# The build says itself what it lacks. One that takes too long is ended, and the next one goes on where it was.
influxd() {
  local build minutes=30
  timeout --kill-after=10 "${minutes}m" bash "${BASH_SOURCE[0]%/*}/influxd/build.sh" >/dev/null &
  build=$!
  # `timeout` takes the build out of the terminal's reach: an interrupt has to be handed on.
  trap 'kill "$build"; wait "$build"; exit 130' INT TERM
  wait "$build"
  case $? in
    124 | 137) echo "no influxd here, its build took over $minutes minutes: the tests against a real InfluxDB are skipped" ;;
  esac
}

apt_programs
influxd
exit 0
