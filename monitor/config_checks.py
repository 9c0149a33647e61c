"""What is wrong with a configuration each of whose keys is well formed: names and addresses that do not fit."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from drivers import registry
from drivers.codec import Driver
from drivers.errors import UnknownDriver
from drivers.transports.factory import mqtt_address, transport_kind
from monitor.config import SIMULATED, BedConfig, DeviceConfig, InfluxdbConfig, MqttConfig, StationConfig
from monitor.config_faults import Fault, Path_, faults_of, twice
from monitor.sinks.hl7_settings import Hl7Config, Hl7TlsConfig
from monitor.web.settings import is_loopback

THE_STATION = "station"
"""What people say and read in place of a bed for the station itself."""


def cross_check(config: StationConfig) -> Iterator[Fault]:
    """What no single key can be blamed for: names used twice, things that do not fit together."""
    yield from twice(((("beds", b, "id"), bed.id) for b, bed in enumerate(config.beds)), "bed")
    yield from twice(((("beds", b, "label"), bed.title) for b, bed in enumerate(config.beds)), "bed")
    ports: dict[str, str] = {}
    for b, bed in enumerate(config.beds):
        if bed.id == THE_STATION:
            yield ("beds", b, "id"), f"{THE_STATION} means the station itself: give the bed another name"
        where: Path_ = ("beds", b, "devices")
        ids = [((*where, d, "id"), device.id) for d, device in enumerate(bed.devices)]
        yield from twice(ids, "device of this bed")
        givers: dict[str, str] = {}
        for d, device in enumerate(bed.devices):
            yield from _check_device(bed, device, (*where, d), givers)
            address = device.address(bed.id)
            if address != SIMULATED and address in ports:
                yield (*where, d, "url"), f"{address} is already the address of {ports[address]}"
            ports[address] = f"{bed.id}/{device.id}"
    if config.mqtt.password_env is not None and config.mqtt.password_file is not None:
        yield ("mqtt", "password_file"), "give the password by password_env or by password_file, not both"
    if config.mqtt.publish_to is not None and (problem := publish_to_problem(config.mqtt.publish_to)):
        yield ("mqtt", "publish_to"), problem
    if config.influxdb is not None:
        yield from _check_influxdb(config.influxdb)
    if config.hl7 is not None:
        yield from _check_hl7(config.hl7)


def _check_influxdb(sink: InfluxdbConfig) -> Iterator[Fault]:
    if (sink.token_env is None) == (sink.token_file is None):
        key = "token" if sink.token_env is None else "token_file"
        yield ("influxdb", key), "give the token by token_env or by token_file, one of the two"
    if sink.read_token_env is not None and sink.read_token_file is not None:
        yield (
            ("influxdb", "read_token_file"),
            "give the token for reading by read_token_env or by read_token_file, not both",
        )
    if problem := influxdb_url_problem(sink.url):
        yield ("influxdb", "url"), problem
    elif not sink.insecure and sends_in_clear(sink.url):
        yield (
            ("influxdb", "url"),
            "http:// would send the token in clear over the network: use https://, or say `insecure: true`",
        )


def _check_hl7(sink: Hl7Config) -> Iterator[Fault]:
    if sink.tls is None:
        if not sink.plain and not is_loopback(sink.host):
            yield (
                ("hl7", "host"),
                "vitals would go over the network in clear: give `tls` (it may be {}), or say `plain: true`",
            )
        return
    if sink.plain:
        yield ("hl7", "plain"), "with `tls` nothing goes in clear: leave one of the two out"
    if (sink.tls.cert_file is None) != (sink.tls.key_file is None):
        key = "cert_file" if sink.tls.cert_file is None else "key_file"
        yield ("hl7", "tls", key), "give cert_file and key_file, or neither"


def publish_to_problem(url: str) -> str | None:
    """What is wrong with the address of the broker that the clinic's systems listen to; None if nothing is."""
    if "@" in url:
        # Not shown: there may be a password before it.
        return "has an @: give the user by mqtt.username and the password by mqtt.password_env or mqtt.password_file"
    if url != url.strip():
        return f"{url!r} is blank, or has a blank at an end"
    try:
        prefix = mqtt_address(url).path
    except ValueError as error:
        return str(error)
    if "#" in url or {"+", "#"} & set(prefix):
        return f"{url!r} has a wildcard; expected the beginning of the topics to publish, without one"
    if "?" in url or prefix.startswith("$") or not prefix.isprintable():
        return f"{url!r}: topics cannot begin like that; expected mqtt://HOST[:PORT][/PREFIX] or mqtts://"
    return None


def influxdb_url_problem(url: str) -> str | None:
    """What is wrong with the address of an InfluxDB server; None if nothing is."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"{url}: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"{url}: expected http(s)://host:port"
    return None


def sends_in_clear(url: str) -> bool:
    """Whether what is sent there can be read on a network on the way."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return parts.scheme == "http" and not loopback


def check_secrets(config: StationConfig) -> Iterator[Fault]:
    """Passwords, tokens and certificates that the configuration names and that are not on this machine."""
    yield from _missing(("mqtt",), config.mqtt, ("password_env",), MqttConfig.FILES)
    if config.influxdb is not None:
        yield from _missing(("influxdb",), config.influxdb, ("token_env", "read_token_env"), InfluxdbConfig.FILES)
    if config.hl7 is not None and config.hl7.tls is not None:
        yield from _missing(("hl7", "tls"), config.hl7.tls, (), Hl7TlsConfig.FILES)


def _missing(section: Path_, given: object, variables: Iterable[str], files: Iterable[str]) -> Iterator[Fault]:
    for key in variables:
        variable = getattr(given, key)
        if variable is not None and variable not in os.environ:
            yield (*section, key), f"the environment has no variable {variable}"
    for key in files:
        name = getattr(given, key)
        if name is not None and (problem := unreadable(Path(name))):
            yield (*section, key), f"{name}: {problem}"


def unreadable(file: Path) -> str | None:
    """Why a file cannot be read; None where it can."""
    try:
        file.open("rb").close()
    except OSError as error:
        return error.strerror
    return None


def _check_device(bed: BedConfig, device: DeviceConfig, where: Path_, givers: dict[str, str]) -> Iterator[Fault]:
    try:
        driver = registry.find(device.driver)
    except UnknownDriver as error:
        yield (*where, "driver"), str(error)
        return
    try:
        driver.options.model_validate(device.options)
    except ValidationError as error:
        yield from faults_of(error, (*where, "options"))
    if device.url != SIMULATED and (problem := _address_problem(device.address(bed.id), driver)):
        yield (*where, "url"), problem
    for vital in device.vitals or ():
        if vital not in driver.vitals:
            yield (*where, "vitals"), f"the driver {driver.name} gives no {vital!r}, but {', '.join(driver.vitals)}"
    for vital in device.vitals_given(driver):
        if vital in givers:
            yield (
                where,
                (
                    f"{vital} would come from {givers[vital]} and from {device.id}: "
                    "give one of the two a `vitals:` list without it"
                ),
            )
        givers.setdefault(vital, device.id)


def _address_problem(address: str, driver: Driver) -> str | None:
    if address != address.strip():
        return f"{address!r} is blank, or has a blank at an end"
    try:
        kind = transport_kind(address)
    except ValueError as error:
        return str(error)
    if kind not in driver.transports:
        return f"the driver {driver.name} does not work over {kind}, but over {', '.join(driver.transports)}"
    return None
