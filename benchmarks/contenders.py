"""Who writes what comes by MQTT to InfluxDB in the bench `pipeline`, and how each is started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.clinic import configuration
from benchmarks.paho_writer import VITALS
from benchmarks.streams import Kind
from tests.influxd import Influxd

BEDS = 20
IN_FLIGHT = 20_000
"""Messages that a contender may take unacknowledged."""
TOKEN = "token"
TOPICS = "vitals/+/monitor"
STATION, TELEGRAF = "station", "Telegraf"
_BUILD = Path(__file__).parents[1] / "scripts" / "telegraf" / "build.sh"


class Place(NamedTuple):
    """Where a contender reads and writes."""

    folder: Path
    """Its own, with the token in a file."""
    port: int
    """The broker's."""
    url: str
    """The server's."""
    bucket: str


class Contender(NamedTuple):
    """A program that writes what comes by MQTT to InfluxDB."""

    name: str
    survives: str
    """Where a message is when it is acknowledged."""
    command: Callable[[Place], list[str]]
    subscriptions: int


def station(place: Place) -> list[str]:
    """The station's program, with its configuration written."""
    address = f"mqtt://127.0.0.1:{place.port}/vitals/{{bed}}/monitor"
    whole = json.loads(configuration([Kind("mqtt_json")] * BEDS, [address] * BEDS))
    whole["influxdb"] = {
        "url": place.url,
        "org": Influxd.org,
        "bucket": place.bucket,
        "token_file": str(place.folder / TOKEN),
    }
    file = place.folder / "clinic.yaml"
    file.write_text(json.dumps(whole), encoding="utf-8")
    program = [sys.executable, "-m", "monitor", "run"]
    return [*program, "--config", str(file), "--data-dir", str(place.folder / "data"), "--port", "0"]


def paho(batch: int) -> Callable[[Place], list[str]]:
    """`paho_writer`, which posts so many points at once; 0 for the client's default."""

    def command(place: Place) -> list[str]:
        how = {
            "port": place.port,
            "topic": TOPICS,
            "url": place.url,
            "token": Influxd.token,
            "org": Influxd.org,
            "bucket": place.bucket,
            "batch": batch,
        }
        return [sys.executable, "-m", "benchmarks.paho_writer", json.dumps(how)]

    return command


def telegraf_program() -> str | None:
    """Where it is; it is built the first time. None where it cannot be, and the script has said why."""
    built = subprocess.run([_BUILD], stdout=subprocess.PIPE, text=True, check=False)
    return built.stdout.strip() if built.returncode == 0 else None


def telegraf(program: str) -> Callable[[Place], list[str]]:
    """Telegraf, with its configuration written."""

    def command(place: Place) -> list[str]:
        file = place.folder / "telegraf.conf"
        file.write_text(_telegraf_configuration(place), encoding="utf-8")
        return [program, "--config", str(file)]

    return command


def _telegraf_configuration(place: Place) -> str:
    """With the batches that the station posts, and room for all that it may take unacknowledged."""
    fields = "".join(f'[[inputs.mqtt_consumer.json_v2.field]]\npath = "{vital}"\ntype = "float"\n' for vital in VITALS)
    return f"""
[agent]
flush_interval = "1s"
metric_batch_size = 5000
metric_buffer_limit = {2 * IN_FLIGHT}
omit_hostname = true
[[inputs.mqtt_consumer]]
servers = ["tcp://127.0.0.1:{place.port}"]
topics = ["{TOPICS}"]
topic_tag = ""
qos = 1
persistent_session = true
client_id = "telegraf"
max_undelivered_messages = {IN_FLIGHT}
data_format = "json_v2"
[[inputs.mqtt_consumer.topic_parsing]]
topic = "{TOPICS}"
tags = "_/bed/device"
[[inputs.mqtt_consumer.json_v2]]
measurement_name = "vitals"
timestamp_path = "time"
timestamp_format = "2006-01-02T15:04:05.000Z07:00"
{fields}
[[outputs.influxdb_v2]]
urls = ["{place.url}"]
token = "{Influxd.token}"
organization = "{Influxd.org}"
bucket = "{place.bucket}"
"""
