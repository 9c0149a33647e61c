"""What a site's configuration may say. `config_file` reads it and names what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from drivers.codec import Driver, SerialLine
from drivers.device import SILENT_AFTER
from drivers.errors import ConfigError
from drivers.transports.mqtt import MqttSettings
from monitor.alerts.conditions import Limit, Priority
from monitor.alerts.engine import Profile
from monitor.config_base import Name, Seconds, Section
from monitor.sessions.settings import SessionsConfig

SIMULATED = "simulated"
"""The address of a device that the program itself plays."""


class LineConfig(Section):
    """A serial line; what is left out is the driver's own."""

    baudrate: Annotated[int, Field(gt=0)] | None = None
    bytesize: Literal[5, 6, 7, 8] | None = None
    parity: Literal["N", "E", "O", "M", "S"] | None = None
    stopbits: Literal[1, 2] | None = None
    xonxoff: bool | None = None
    rtscts: bool | None = None
    dsrdtr: bool | None = None


class DeviceConfig(Section):
    """One device at a bed."""

    id: Name
    driver: str
    url: Annotated[str, Field(min_length=1)]
    """An address as `drivers.transports.factory` lists them, or `simulated`; `{bed}` and `{device}` are the ids."""
    options: dict[str, Any] = Field(default_factory=dict)
    line: LineConfig = LineConfig()
    vitals: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    silent_after: Seconds = SILENT_AFTER

    def serial_line(self, driver: Driver) -> SerialLine:
        """The driver's line with this device's changes."""
        own = {key: value for key, value in self.line.model_dump().items() if value is not None}
        return SerialLine(**{**{name: getattr(driver.line, name) for name in SerialLine.__slots__}, **own})

    def vitals_given(self, driver: Driver) -> tuple[str, ...]:
        """What this device may contribute to its bed."""
        return tuple(vital for vital in driver.vitals if self.vitals is None or vital in self.vitals)

    def address(self, bed: str) -> str:
        """The URL with the ids filled in."""
        return self.url.replace("{bed}", bed).replace("{device}", self.id)


class PatientConfig(Section):
    """The patient whom a bed's simulated devices measure."""

    scenario: str = "infusion"
    seed: int = 1


class BedConfig(Section):
    """A place with a patient: an infusion chair."""

    id: Name
    label: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    simulated_patient: PatientConfig = PatientConfig()
    devices: Annotated[tuple[DeviceConfig, ...], Field(min_length=1)]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.label or self.id


class LimitConfig(Section):
    """One side of one vital's limits."""

    limit: float
    priority: Priority
    delay: Annotated[float, Field(ge=0, le=300)] = 0.0
    hysteresis: Annotated[float, Field(ge=0)] = 0.0


class VitalLimits(Section):
    """Both sides of one vital's limits."""

    low: LimitConfig | None = None
    high: LimitConfig | None = None


class AlertsConfig(Section):
    """What raises an alert."""

    limits: dict[str, VitalLimits] = Field(default_factory=dict)
    stale_after: Seconds = 10.0
    stale_priority: Priority = Priority.LOW
    device_lost_priority: Priority = Priority.MEDIUM

    def profile(self) -> Profile:
        """The same, as the alert engine takes it."""
        limits = tuple(
            Limit(vital, side, one.limit, one.priority, one.delay, one.hysteresis)
            for vital, sides in self.limits.items()
            for side, one in (("low", sides.low), ("high", sides.high))
            if one is not None
        )
        return Profile(limits, self.stale_after, self.stale_priority, self.device_lost_priority)


class MqttConfig(Section):
    """How to reach the clinic's broker; the password comes from the environment or a file, never from here."""

    FILES: ClassVar = ("password_file", "ca_file", "cert_file", "key_file")
    """Those of the keys below that name a file."""

    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "infusion-monitor"
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    publish_to: str | None = None
    """`mqtt(s)://host[:port][/prefix]`: where the clinic's own systems are told of the sessions; nowhere without it."""

    def settings(self) -> MqttSettings:
        """The same with the secret read. Raises `ConfigError` where it is not to be had."""
        return MqttSettings(
            username=self.username,
            password=self._password(),
            client_id=self.client_id,
            ca_file=Path(self.ca_file) if self.ca_file else None,
            cert_file=Path(self.cert_file) if self.cert_file else None,
            key_file=Path(self.key_file) if self.key_file else None,
        )

    def _password(self) -> str | None:
        return _secret("mqtt.password", self.password_env, self.password_file)


class InfluxdbConfig(Section):
    """Where the journal is forwarded to; tokens come from the environment or a file, never from here."""

    FILES: ClassVar = ("token_file", "read_token_file", "ca_file")
    """Those of the keys below that name a file."""

    url: Annotated[str, Field(pattern=r"^https?://[^/\s?#@]+/?$")]
    """`http(s)://host:port`."""
    org: Annotated[str, Field(min_length=1)]
    bucket: Annotated[str, Field(min_length=1)]
    token_env: str | None = None
    token_file: str | None = None
    read_token_env: str | None = None
    """For reading back, where the token above may only write."""
    read_token_file: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    """Whether the token may go over a network in clear."""
    waveforms: bool = False

    def token(self) -> str:
        """The token to write with. Raises `ConfigError` where it is not to be had."""
        return _secret("influxdb.token", self.token_env, self.token_file) or ""

    def read_token(self) -> str:
        """The token to read with: the one to write with, where no other is named."""
        return _secret("influxdb.read_token", self.read_token_env, self.read_token_file) or self.token()


class JournalConfig(Section):
    """What the journal keeps."""

    keep_days: Annotated[int, Field(ge=30, le=36500)] | None = None
    """Readings and waveforms older than that are removed; for ever without it."""


def _secret(key: str, variable: str | None, file: str | None) -> str | None:
    if variable is not None:
        if variable not in os.environ:
            raise ConfigError([f"{key}_env: the environment has no variable {variable}"])
        return os.environ[variable]
    if file is not None:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError([f"{key}_file: {file}: {error.strerror}"]) from error
    return None


class WebConfig(Section):
    """Where the page is. Only loopback until there are accounts and TLS."""

    host: Literal["127.0.0.1", "localhost", "::1"] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080


class StationConfig(Section):
    """Everything that one station runs."""

    site: Name = "clinic"
    data_dir: str = "infusion-data"
    web: WebConfig = WebConfig()
    mqtt: MqttConfig = MqttConfig()
    journal: JournalConfig = JournalConfig()
    influxdb: InfluxdbConfig | None = None
    beds: Annotated[tuple[BedConfig, ...], Field(min_length=1)]
    alerts: AlertsConfig = AlertsConfig()
    sessions: SessionsConfig = SessionsConfig()
