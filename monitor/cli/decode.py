"""`infusion-monitor decode`: a capture's bytes to readings, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from drivers import registry
from drivers.clock import SystemClock, iso
from drivers.codec import Codec, Driver
from drivers.errors import BadCapture, ConfigError
from drivers.events import DeviceAlarm, DeviceStatus, Event, Reading
from drivers.vitals import VITALS

_CHUNK = 4096


def decode(
    driver: Annotated[str, typer.Argument(help="A driver's name; `infusion-monitor drivers` lists them.")],
    file: Annotated[Path, typer.Argument(help="The capture.")],
    hex_text: Annotated[bool, typer.Option("--hex", help="The file is hex text, not raw bytes.")] = False,
    option: Annotated[list[str] | None, typer.Option(help="An option of the driver, KEY=VALUE.")] = None,
) -> None:
    """Decode a capture and print what is in it; the last line is a summary.

    A capture has no times: `observed_at` is the time of decoding, less the age that the device itself gives.
    """
    about = registry.find(driver)
    codec = make_codec(about, option or [])
    clock = SystemClock()
    for piece in _pieces(about, _read(file, hex_text=hex_text)):
        for event in codec.feed(piece, clock.now_ns()):
            print(json.dumps(as_json(event), ensure_ascii=False))
    counters = codec.counters
    summary = {"bytes": counters.bytes, "frames": counters.frames, "rejected": counters.rejected}
    print(json.dumps({"kind": "summary"} | summary))


def make_codec(driver: Driver, options: list[str]) -> Codec:
    """The driver's codec with options given as KEY=VALUE. Raises `ConfigError`."""
    try:
        given = dict(option.split("=", 1) for option in options)
    except ValueError:
        raise ConfigError([f"--option {' '.join(options)}: expected KEY=VALUE"]) from None
    try:
        return driver.make_codec(driver.options.model_validate(given))
    except ValidationError as error:
        raise ConfigError(
            [f"--option {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        ) from error


def as_json(event: Event) -> dict[str, Any]:
    """An event as one JSON object; times are RFC 3339 text."""
    if isinstance(event, Reading):
        return {
            "kind": "reading",
            "vital": event.vital,
            "value": event.value,
            "unit": VITALS[event.vital].unit,
            "validity": event.validity.name.lower(),
            "cause": event.cause,
            "observed_at": iso(event.observed_at),
        }
    if isinstance(event, DeviceStatus | DeviceAlarm):
        kind = "status" if isinstance(event, DeviceStatus) else "device_alarm"
        return {
            "kind": kind,
            "code": event.code,
            "active": event.active,
            "text": event.text,
            "received_at": iso(event.received_at),
        }
    return {
        "kind": "waveform",
        "name": event.name,
        "rate": event.rate,
        "samples": list(event.samples),
        "observed_at": iso(event.observed_at),
    }


def _read(file: Path, *, hex_text: bool) -> bytes:
    try:
        data = file.read_bytes()
        return bytes.fromhex(data.decode("ascii")) if hex_text else data
    except OSError as error:
        raise BadCapture(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise BadCapture(f"{file}: not hex text: {error}") from error


def _pieces(driver: Driver, data: bytes) -> Iterator[bytes]:
    """A stream in pieces; for a protocol of messages, one line of the file each."""
    if driver.transports == ("mqtt",):
        yield from (line for line in data.splitlines() if line.strip())
    else:
        yield from (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))
