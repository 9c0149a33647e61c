"""What is wrong with a configuration each of whose keys is well formed: names, addresses, limits that do not fit.

A fault is where (the keys and positions that lead there) and what; `config_file` adds the line.
"""

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
from drivers.vitals import VITALS
from monitor.config import (
    SIMULATED,
    BedConfig,
    DeviceConfig,
    InfluxdbConfig,
    LimitConfig,
    MqttConfig,
    StationConfig,
    VitalLimits,
)

Path_ = tuple[str | int, ...]
Fault = tuple[Path_, str]
"""Where, as the keys and positions that lead there, and what."""


def cross_check(config: StationConfig) -> Iterator[Fault]:
    """What no single key can be blamed for: names used twice, limits crossed, things that do not fit together."""
    yield from twice(((("beds", b, "id"), bed.id) for b, bed in enumerate(config.beds)), "bed")
    yield from twice(((("beds", b, "label"), bed.title) for b, bed in enumerate(config.beds)), "bed")
    ports: dict[str, str] = {}
    for b, bed in enumerate(config.beds):
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
    for vital, sides in config.alerts.limits.items():
        yield from _check_limits(vital, sides, ("alerts", "limits", vital))
    if config.mqtt.password_env is not None and config.mqtt.password_file is not None:
        yield ("mqtt", "password_file"), "give the password by password_env or by password_file, not both"
    if config.mqtt.publish_to is not None and (problem := publish_to_problem(config.mqtt.publish_to)):
        yield ("mqtt", "publish_to"), problem
    if config.influxdb is not None:
        yield from _check_influxdb(config.influxdb)


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


def _check_limits(vital: str, sides: VitalLimits, where: Path_) -> Iterator[Fault]:
    if vital not in VITALS:
        yield where, no_such_vital(vital)
        return
    low, high = sides.low, sides.high
    if low is not None and high is not None and low.limit >= high.limit:
        yield (*where, "low", "limit"), f"low limit {low.limit:g} is not below high limit {high.limit:g}"
        return
    lowest, highest = VITALS[vital].plausible
    if low is not None:
        clears_at = low.limit + low.hysteresis
        yield from _check_limit(vital, low, (*where, "low"), clears_at, lowest, high.limit if high else highest)
    if high is not None:
        clears_at = high.limit - high.hysteresis
        yield from _check_limit(vital, high, (*where, "high"), clears_at, low.limit if low else lowest, highest)


def _check_limit(
    vital: str, one: LimitConfig, where: Path_, clears_at: float, lowest: float, highest: float
) -> Iterator[Fault]:
    """`lowest` to `highest` is where the alert can go off; the limit itself need only be plausible."""
    about = VITALS[vital]
    if problem := implausible(vital, one.limit):
        yield (*where, "limit"), problem
    elif not lowest <= clears_at <= highest:
        yield (
            (*where, "hysteresis"),
            f"the alert would go off only at {clears_at:g} {about.unit_label}, outside {lowest:g} to {highest:g}",
        )


def no_such_vital(name: str) -> str:
    """What is said of a name that no vital has."""
    return f"there is no vital {name!r}; there are: {', '.join(VITALS)}"


def implausible(vital: str, value: float) -> str | None:
    """What is wrong with a number that the vital is to be compared with; None if the vital can be that."""
    about = VITALS[vital]
    lowest, highest = about.plausible
    if lowest <= value <= highest:
        return None
    return f"{value:g} {about.unit_label} is outside what {vital} can be, {lowest:g} to {highest:g}"


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
    yield from _missing("mqtt", config.mqtt, ("password_env",), MqttConfig.FILES)
    if config.influxdb is not None:
        yield from _missing("influxdb", config.influxdb, ("token_env", "read_token_env"), InfluxdbConfig.FILES)


def _missing(section: str, given: object, variables: Iterable[str], files: Iterable[str]) -> Iterator[Fault]:
    for key in variables:
        variable = getattr(given, key)
        if variable is not None and variable not in os.environ:
            yield (section, key), f"the environment has no variable {variable}"
    for key in files:
        name = getattr(given, key)
        if name is not None and (problem := _unreadable(Path(name))):
            yield (section, key), f"{name}: {problem}"


def _unreadable(file: Path) -> str | None:
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


def twice(named: Iterable[tuple[Path_, str]], what: str) -> Iterator[Fault]:
    """Each name that another of the same kind (`what`) has before it; `named` has each with where it stands."""
    seen: set[str] = set()
    for where, name in named:
        if name in seen:
            yield where, f"there is already a {what} called {name!r}"
        seen.add(name)


def faults_of(error: ValidationError, prefix: Path_ = ()) -> list[Fault]:
    """What pydantic found, in the project's words; `prefix` leads to the part that it looked at."""
    faults = []
    errors = error.errors(include_url=False)
    for one in errors:
        text = one["msg"][0].lower() + one["msg"][1:]
        if one["type"] == "extra_forbidden":
            text = "unknown key"
        elif one["type"] == "missing":
            text = "is missing"
        elif one["type"] == "too_short" and isinstance(one["input"], list):
            # pydantic counts only the items without a fault: where it names one, the list itself is not to blame.
            if any(other["loc"][: len(one["loc"])] == one["loc"] for other in errors if other is not one):
                continue
            text = "at least one is needed"
        elif not isinstance(one["input"], dict | list):
            text += f"; got {one['input']!r}"
        faults.append(((*prefix, *one["loc"]), text))
    return faults
