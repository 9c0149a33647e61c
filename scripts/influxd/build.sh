#!/usr/bin/env bash
# Builds the InfluxDB server that the tests run against, unless it is there, and prints where it is.
# No distribution and no Python package has InfluxDB 2: Go's and Cargo's own clients bring its sources (libflux is Rust).
# It takes some five minutes, once for each version; what the compilers say is in a log. A build that was
# interrupted goes on where it was, and everything but the server is thrown away at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(sed -nE 's|^(require)?[[:space:]]*github.com/influxdata/influxdb/v2 v([^[:space:]]+).*|\2|p' go.mod)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/infusion-monitor/influxd-$version"
server="$folder/influxd"
work="$folder/build"
log="$folder/build.log"

refuse() {
  echo "no influxd here, $1: the tests against a real InfluxDB are skipped" >&2
  exit 1
}

found() {
  [ ! -x "$server" ] || { echo "$server"; exit 0; }
}

found
for program in go cargo gcc; do
  command -v "$program" >/dev/null 2>&1 || refuse "for want of $program"
done

mkdir -p "$folder"
# Two builds at a time would write the same files; the second one waits and then finds the first one's server.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$folder/lock"
  flock 9
  found
fi

mkdir -p "$work/bin" "$work/stand-in"
# libflux asks for a Rust of 2023, which need not be installed, and denies the warnings that newer ones have more of.
# RUSTFLAGS does not reach all of it.
export RUSTUP_TOOLCHAIN=stable
cat >"$work/lenient-rustc" <<'WRAPPER'
#!/bin/sh
case " $* " in *" --cap-lints"*) exec "$@" ;; esac
exec "$@" --cap-lints=warn
WRAPPER
export RUSTC_WRAPPER="$work/lenient-rustc"

# InfluxData's pkg-config compiles libflux, and then asks the real pkg-config about it. Where that is missing this
# reads the only file it would read; on any machine nothing else is asked for.
cat >"$work/stand-in/pkg-config" <<'STAND_IN'
#!/bin/sh
while IFS= read -r line; do
  case "$line" in
    [a-z_]*=*) eval "${line%%=*}=\"${line#*=}\"" ;;
    Cflags:*) cflags=${line#*:} ;;
    Libs:*) libs=${line#*:} ;;
  esac
done <"${PKG_CONFIG_PATH%%:*}/flux.pc"
case " $* " in *" --cflags "*) eval "echo $cflags" ;; *) eval "echo $libs" ;; esac
STAND_IN
chmod +x "$work/lenient-rustc" "$work/stand-in/pkg-config"
export PATH="$PATH:$work/stand-in"
export PKG_CONFIG="$work/bin/pkg-config" CGO_ENABLED=1

# It puts libflux into Go's cache and looks for it there alone, so that cache is a folder of its own here.
export GOCACHE="$work/gocache"
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
# A copy of the sources that was cut short would pass for a whole one; Cargo begins when the copy is complete.
for copy in "$GOCACHE"/pkgconfig/github.com/influxdata/flux@*; do
  [ -d "$copy/libflux/target" ] || rm -rf "$copy"
done

build() {
  go build -trimpath -buildvcs=false -o "$PKG_CONFIG" github.com/influxdata/pkg-config
  go build -trimpath -buildvcs=false -tags sqlite_foreign_keys,sqlite_json \
    -ldflags "-X main.version=v$version -s -w" -o "$work/influxd" github.com/influxdata/influxdb/v2/cmd/influxd
  "$work/influxd" version
}

echo "building InfluxDB $version for the tests, once; this takes some five minutes (log: $log)" >&2
# Not "if build": within a condition the shell would go on after an error.
set +e
(set -e; build) >"$log" 2>&1 </dev/null
status=$?
set -e
[ "$status" -eq 0 ] || refuse "its build failed, see $log"
mv "$work/influxd" "$server"
rm -rf "$work"
echo "$server"
