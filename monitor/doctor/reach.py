"""What the station has to reach: serial ports, the broker, InfluxDB, the HL7 receiver.

Nothing is sent to a device and no port is opened: that can reset what is at its other end, and a converter of the
network often takes one connection only.
"""

# The classes that the client generates from its server's description are not annotated.
# mypy: untyped-calls-exclude=influxdb_client
from __future__ import annotations

import asyncio
import getpass
import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from serial.tools import list_ports

from drivers.errors import ConfigError, InfusionMonitorError
from drivers.transports.factory import mqtt_address, transport_kind
from monitor.config import SIMULATED, InfluxdbConfig
from monitor.doctor.findings import Finding, Subject, fault, note, ok
from monitor.sinks.hl7_settings import Hl7Config
from monitor.sinks.mllp_link import Link, address

_PATIENCE = 3.0
"""Seconds for a connection, or for a server's first answer."""


def serial_ports(subject: Subject) -> Iterator[Finding]:
    """Those that this machine has, and whether the configured ones are among them."""
    seen = sorted(list_ports.comports())
    names = [f"{port.device}{'' if port.description == 'n/a' else f' ({port.description})'}" for port in seen]
    yield ok("serial ports", f"seen: {', '.join(names) or 'none'}")
    for bed, device in subject.devices():
        address = device.address(bed.id)
        if address == SIMULATED or transport_kind(address) != "serial" or "://" in address:
            continue
        where = f"{bed.id}/{device.id}"
        if problem := _port_problem(Path(address)):
            yield fault("serial ports", f"{where}: {address} {problem[0]}", problem[1])
        else:
            yield ok("serial ports", f"{where}: {address} is there")


def _port_problem(port: Path) -> tuple[str, str] | None:
    """What is wrong with it, and what to do; None if nothing is."""
    try:
        about = port.stat()
    except OSError as error:
        text = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be seen: {error.strerror}"
        return text, "plug its adapter in, or correct the address; /dev/serial/by-id has names that stay"
    if not stat.S_ISCHR(about.st_mode):
        return "is no serial port", "correct the address"
    if os.access(port, os.R_OK | os.W_OK):
        return None
    try:
        group = grp.getgrgid(about.st_gid).gr_name
    except KeyError:
        group = str(about.st_gid)
    return (
        f"may not be read and written by {getpass.getuser()}",
        f"add the station's user to the group {group}, then start the station anew",
    )


def broker(subject: Subject) -> Iterator[Finding]:
    """Whether each takes a connection; who may do what there is not tried."""
    urls = [device.address(bed.id) for bed, device in subject.devices() if device.url != SIMULATED]
    urls = [url for url in urls if transport_kind(url) == "mqtt"]
    if subject.config and subject.config.mqtt.publish_to:
        urls.append(subject.config.mqtt.publish_to)
    for host, port in sorted({mqtt_address(url)[:2] for url in urls}):
        try:
            socket.create_connection((host, port), _PATIENCE).close()
        except OSError as error:
            why = error.strerror or str(error)
            yield fault("broker", f"{host}:{port}: {why}", "see whether it runs, and whether a firewall is between")
        else:
            yield ok("broker", f"{host}:{port} takes connections")


def influxdb(subject: Subject) -> Iterator[Finding]:
    """Whether it answers, and lets the station write; no point is written."""
    section = subject.config.influxdb if subject.config else None
    if section is None:
        return
    try:
        tokens = {"write": section.token()}
        if section.read_token_env or section.read_token_file:
            tokens["read"] = section.read_token()
    except ConfigError:
        yield note("influxdb", f"{section.url} was not tried: a token is not to be had")
        return
    try:
        yield from _influxdb(section, tokens)
    except InfusionMonitorError as error:
        yield fault("influxdb", str(error), "see whether it runs and can be reached; the journal keeps everything")


def hl7(subject: Subject) -> Iterator[Finding]:
    """Whether the receiver takes a connection, with TLS where it is to; no message is sent."""
    section = subject.config.hl7 if subject.config else None
    if section is None:
        return
    where = address(section)
    try:
        asyncio.run(_connect(section.model_copy(update={"ack_within": _PATIENCE})))
    except InfusionMonitorError as error:
        yield fault("hl7", str(error), "see whether it runs and can be reached; the journal keeps everything")
    else:
        yield ok("hl7", f"{where} takes connections{'' if section.tls is None else ' over TLS'}")


async def _connect(section: Hl7Config) -> None:
    await (await Link.open(section)).close()


def _influxdb(section: InfluxdbConfig, tokens: dict[str, str]) -> Iterator[Finding]:
    # It takes half the start of a command, and few stations have one.
    from influxdb_client.service.ping_service import PingService  # noqa: PLC0415 - see above

    from monitor.sinks import influxdb_setup, influxdb_sync  # noqa: PLC0415 - see above

    with (
        influxdb_sync.client(section.url, section.org, "", section.ca_file, patience=_PATIENCE) as client,
        influxdb_sync.errors(section.url, patience=_PATIENCE),
    ):
        _, _, headers = PingService(client.api_client).get_ping_with_http_info(_return_http_data_only=False)
    yield ok("influxdb", f"{section.url} answers, version {headers.get('X-Influxdb-Version', 'unknown')}")
    place = influxdb_setup.Place(section.url, section.org, section.bucket, section.ca_file)
    for action, token in tokens.items():
        status = influxdb_setup.refusal(place, token, action, _PATIENCE)
        if status is None:
            yield ok("influxdb", f"the token may {action} the bucket {section.bucket}")
        else:
            yield fault(
                "influxdb",
                f"the token may not {action} the bucket {section.bucket} of {section.org} ({status})",
                "make one with `infusion-monitor influxdb setup`, or correct org and bucket",
            )
