"""From the address in a configuration to a transport.

| address | transport |
|---|---|
| `/dev/ttyUSB0`, `COM3`, `rfc2217://host:port`, `socket://host:port`, `loop://` | serial (pyserial) |
| `tcp://host:port` | TCP client |
| `mqtt://host[:port]/topic`, `mqtts://...` | MQTT |
| `file:PATH?pace=fast`, `pace=line` (the line's baud rate), `pace=562` (bytes a second) | a capture |
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from drivers.clock import Clock
from drivers.codec import Driver, SerialLine
from drivers.transports.base import Transport
from drivers.transports.file import FileTransport
from drivers.transports.mqtt import MqttSettings, MqttTransport
from drivers.transports.serial import SerialTransport
from drivers.transports.tcp import TcpTransport

_PYSERIAL_SCHEMES = {"rfc2217", "socket", "loop", "spy", "hwgrep", "alt"}
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttAddress(NamedTuple):
    """The parts of an `mqtt://` or `mqtts://` URL."""

    host: str
    port: int
    path: str
    """A topic, or what topics begin with; as it is spoken, no longer quoted as in the URL."""
    tls: bool


def mqtt_address(url: str) -> MqttAddress:
    """Where a broker is. Raises `ValueError` with what was expected where the URL is none of a broker."""
    parts = urlsplit(url)
    if parts.scheme not in _MQTT_PORTS:
        raise ValueError(f"{url!r} is no address of a broker; expected mqtt://HOST[:PORT][/PREFIX] or mqtts://")
    _require(parts, url, f"{parts.scheme}://HOST[:PORT]", bool(parts.hostname))
    return MqttAddress(
        parts.hostname or "",
        parts.port or _MQTT_PORTS[parts.scheme],
        unquote(parts.path[1:]),
        parts.scheme == "mqtts",
    )


def transport_kind(url: str) -> str:
    """`serial`, `tcp`, `mqtt` or `file`. Raises `ValueError` with what was expected for anything else."""
    parts = urlsplit(url)
    if parts.scheme in _MQTT_PORTS:
        _require(parts, url, f"{parts.scheme}://HOST[:PORT]/TOPIC", bool(parts.hostname) and len(parts.path) > 1)
        if "+" in parts.path or "#" in url:
            raise ValueError(f"{url!r} has a wildcard; expected the topic of this one device")
        return "mqtt"
    if parts.scheme == "tcp":
        _require(parts, url, "tcp://HOST:PORT", bool(parts.hostname) and parts.port is not None)
        return "tcp"
    if parts.scheme == "file":
        _require(parts, url, "file:PATH[?pace=line|fast|BYTES_PER_SECOND]", bool(parts.path))
        _pace(parts, SerialLine())
        return "file"
    if parts.scheme in _PYSERIAL_SCHEMES or (url and not parts.scheme) or url.upper().startswith("COM"):
        return "serial"
    raise ValueError(
        f"{url!r} is no address; expected a serial port (/dev/ttyUSB0, rfc2217://HOST:PORT), tcp://HOST:PORT, "
        "mqtt://HOST/TOPIC or file:PATH"
    )


def make_transport(
    url: str,
    driver: Driver,
    clock: Clock,
    *,
    line: SerialLine | None = None,
    identifier: str = "",
    mqtt: MqttSettings | None = None,
) -> Transport:
    """The transport for `url`, allowed to send the driver's listed requests only.

    `line` overrides the driver's own line parameters; `identifier` names the device's MQTT session and must be the
    same after a restart. Raises `ValueError` as `transport_kind` does.
    """
    kind = transport_kind(url)
    line = line or driver.line
    parts = urlsplit(url)
    if kind == "mqtt":
        broker = mqtt_address(url)
        return MqttTransport(
            broker.host,
            broker.port,
            broker.path,
            tls=broker.tls,
            identifier=identifier,
            settings=mqtt or MqttSettings(),
            requests=driver.requests,
        )
    if kind == "tcp":
        return TcpTransport(parts.hostname or "", parts.port or 0, driver.requests)
    if kind == "file":
        return FileTransport(Path(unquote(parts.path)), _pace(parts, line), driver.requests, clock)
    return SerialTransport(url, line, driver.requests)


def _require(parts: SplitResult, url: str, expected: str, good: bool) -> None:  # noqa: FBT001 - the condition to hold
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r}: {error}") from error
    if not good:
        raise ValueError(f"{url!r} is incomplete; expected {expected}")


def _pace(parts: SplitResult, line: SerialLine) -> float | None:
    query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    pace = query.get("pace", ["line"])[0]
    if pace == "fast":
        return None
    if pace == "line":
        # A start bit, the data bits, a parity bit where there is one, and the stop bits.
        bits = 1 + line.bytesize + (line.parity != "N") + line.stopbits
        return line.baudrate / bits
    try:
        rate = float(pace)
    except ValueError:
        rate = 0
    if not 0 < rate < float("inf"):
        raise ValueError(f"pace={pace!r} is no pace; expected line, fast or a number of bytes a second")
    return rate
