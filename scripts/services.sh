#!/usr/bin/env bash
# Brings the programs that the tests use beside Python, where it can: as root, with apt.
# Says in a line each what is missing and which tests that skips. With REQUIRE_SERVICES=1 missing ones fail the tests.
set -u

declare -A package=([mosquitto]=mosquitto [chromium]=chromium)
declare -A tests=([mosquitto]="the MQTT tests against a real broker" [chromium]="the page's tests in a real browser")

export PATH="$PATH:/usr/sbin"
missing=()
for program in mosquitto chromium; do
  command -v "$program" >/dev/null 2>&1 || missing+=("$program")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing with apt: ${missing[*]}"
  names=()
  for program in "${missing[@]}"; do names+=("${package[$program]}"); done
  apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" fonts-dejavu-core \
    >/dev/null 2>&1
fi

for program in "${missing[@]}"; do
  command -v "$program" >/dev/null 2>&1 || echo "no $program here: ${tests[$program]} are skipped"
done
exit 0
