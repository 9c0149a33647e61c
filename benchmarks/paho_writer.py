"""What is used where nobody has written more: paho-mqtt, a `Point` a message and the client's batching `WriteApi`.

The bench `pipeline` runs it as a process of its own and measures the station beside it. As with paho's own defaults a
message is acknowledged when the callback returns: it is in memory then.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime

import paho.mqtt.client as mqtt
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions
from paho.mqtt.enums import CallbackAPIVersion

VITALS = ("heart_rate", "spo2", "resp_rate")


def main(port: int, topic: str, url: str, token: str, org: str, bucket: str, batch: int) -> None:
    """Write what comes by `topic` until killed; `batch` points make a post, or the client's default where it is 0."""
    client = InfluxDBClient(url=url, token=token, org=org)
    writer = client.write_api(write_options=WriteOptions(batch_size=batch) if batch else WriteOptions())

    def write(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        _, bed, device = message.topic.split("/")
        payload = json.loads(message.payload)
        point = Point("vitals")  # type: ignore[no-untyped-call]  # the library has no types here
        point.tag("bed", bed).tag("device", device).time(datetime.fromisoformat(payload["time"]))  # type: ignore[no-untyped-call]  # nor here
        for vital in VITALS:
            point.field(vital, float(payload[vital]))  # type: ignore[no-untyped-call]  # nor here
        writer.write(bucket=bucket, record=point)

    receiver = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="paho-writer", clean_session=False)
    receiver.on_message = write
    receiver.connect("127.0.0.1", port)
    receiver.subscribe(topic, qos=1)
    receiver.loop_forever()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
