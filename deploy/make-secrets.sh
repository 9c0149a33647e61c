#!/usr/bin/env bash
# Makes the passwords, tokens, certificates and the broker's password file that compose.yaml names.
#
#   ./make-secrets.sh --host station.clinic.example --host 192.168.10.5 --monitor chair-1/monitor --monitor chair-2/monitor
#
# --host NAME         a name or address by which monitors reach the broker; it goes into the broker's certificate
# --monitor BED/DEV   a monitor that publishes to vitals/BED/DEV: its user name is BED/DEV
# --folder DIR        where to put them; "secrets" beside this file without it
#
# What is there already stays as it is, so that it can be run again for one more monitor. To renew something, delete its
# file first. Nobody but the folder's owner can enter the folder. Its files can be read by all, since a file that Docker
# mounts as a secret keeps its owner and mode, and each program runs as a user of its own; each gets only what it needs.
set -euo pipefail
umask 077

days=3650
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder="$here/secrets"
names=(DNS:localhost IP:127.0.0.1)
monitors=()

fail() { echo "make-secrets.sh: $1" >&2; exit "${2:-2}"; }

while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || fail "$1: expected a value after it (--host NAME, --monitor BED/DEVICE, --folder DIR)"
  case $1 in
    --host)
      [[ $2 =~ ^[A-Za-z0-9.:_-]+$ ]] || fail "--host $2: expected a name or an address"
      if [[ $2 =~ ^[0-9.]+$ || $2 == *:* ]]; then names+=("IP:$2"); else names+=("DNS:$2"); fi ;;
    --monitor)
      [[ $2 =~ ^[a-z0-9][a-z0-9_-]{0,31}/[a-z0-9][a-z0-9_-]{0,31}$ ]] \
        || fail "--monitor $2: expected BED/DEVICE, the two ids as in the configuration"
      monitors+=("$2") ;;
    --folder) folder=$2 ;;
    *) fail "$1: unknown (there are --host, --monitor and --folder)" ;;
  esac
  shift 2
done
command -v openssl >/dev/null || fail "openssl is needed" 1

mkdir -p "$folder/monitors"
chmod 700 "$folder" "$folder/monitors"
cd "$folder"

# random FILE: 32 random bytes as text, unless the file is there. Written aside first: a half-made one must not stay.
random() {
  [ -e "$1" ] && return
  openssl rand -hex 32 > "$1.new"
  chmod 444 "$1.new"
  mv "$1.new" "$1"
  echo "made $folder/$1"
}

# certificate NAME SUBJECT EXTENSION... [-- OPENSSL ARGUMENT...]: NAME.pem and NAME.key, unless both are there.
certificate() {
  local name=$1 subject=$2 extensions=()
  shift 2
  [ -e "$name.pem" ] && [ -e "$name.key" ] && return
  while [ $# -gt 0 ] && [ "$1" != -- ]; do extensions+=(-addext "$1"); shift; done
  [ $# -gt 0 ] && shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" -subj "/CN=$subject" \
    -keyout "$name.key.new" -out "$name.pem.new" "${extensions[@]}" "$@" 2>openssl.log || { cat openssl.log >&2; exit 1; }
  rm -f openssl.log
  chmod 444 "$name.pem.new" "$name.key.new"
  mv "$name.key.new" "$name.key"
  mv "$name.pem.new" "$name.pem"
  echo "made $folder/$name.pem, good for $days days"
}

certificate ca "infusion monitor authority" basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign
chmod 400 ca.key # mounted nowhere
if ! { [ -e broker.pem ] && [ -e broker.key ]; }; then
  certificate broker "infusion monitor broker" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth "subjectAltName=$(IFS=,; echo "${names[*]}")" -- -CA ca.pem -CAkey ca.key
else
  for name in "${names[@]}"; do
    case $name in IP:*) check=-checkip ;; *) check=-checkhost ;; esac
    openssl x509 -in broker.pem -noout "$check" "${name#*:}" | grep -q "does match" \
      || echo "broker.pem is not for ${name#*:}: delete broker.pem to have it made anew for all of its names" >&2
  done
fi

random influxdb_admin_password
random influxdb_admin_token
random grafana_admin_password
random mqtt_station_password
for monitor in "${monitors[@]}"; do
  mkdir -p "monitors/${monitor%/*}"
  random "monitors/$monitor"
done
# Only a running InfluxDB gives these two; compose wants the files to be there.
for token in influxdb_write_token influxdb_read_token; do
  [ -e "$token" ] || { : > "$token"; chmod 644 "$token"; echo "$folder/$token is empty: \`influxdb setup\` gives it"; }
done

command -v mosquitto_passwd >/dev/null \
  || fail "mosquitto_passwd is not here (the package mosquitto brings it): no $folder/mosquitto_passwords yet; run this again" 1
{
  echo "station:$(cat mqtt_station_password)"
  (cd monitors && find . -mindepth 2 -type f ! -name '*.new' | LC_ALL=C sort | while read -r file; do
    echo "${file#./}:$(cat "$file")"
  done)
} > mosquitto_passwords.new
mosquitto_passwd -U mosquitto_passwords.new
chmod 444 mosquitto_passwords.new
mv mosquitto_passwords.new mosquitto_passwords
echo "made $folder/mosquitto_passwords for station$(cd monitors && find . -mindepth 2 -type f | LC_ALL=C sort | sed 's|^\./|, |' | tr -d '\n')"
