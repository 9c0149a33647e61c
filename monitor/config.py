"""What a site's configuration may say. `config_file` reads it and names what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from drivers.codec import Driver, SerialLine
from drivers.device import SILENT_AFTER
from drivers.transports.mqtt import MqttSettings
from monitor.alerts.profile import ProfileConfig
from monitor.alerts.profile_file import DEFAULT, SHIPPED, load_all, shipped
from monitor.config_base import Name, Seconds, Section, secret
from monitor.notify.settings import NotifyConfig
from monitor.sessions.settings import SessionsConfig
from monitor.sinks.hl7_settings import Hl7Config
from monitor.web.settings import WebConfig

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
    same_arm: bool = False
    """Whether the cuff and the oximeter are on one arm: the cuff's inflation then takes the oximeter's pulse away."""
    simulated_patient: PatientConfig = PatientConfig()
    devices: Annotated[tuple[DeviceConfig, ...], Field(min_length=1)]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.label or self.id


class AlertsConfig(Section):
    """What raises an alert."""

    profile: str = DEFAULT
    """In force on beds without a session, and in one that is opened without another."""
    profiles: tuple[str, ...] = ()
    """Files with the site's own profiles, relative to the configuration's folder."""
    _of_site: Mapping[str, ProfileConfig] = PrivateAttr(default_factory=dict)

    @property
    def all(self) -> Mapping[str, ProfileConfig]:
        """Every profile by its name: the shipped ones, and those of the site's files once these were read."""
        return {**{name: shipped(name) for name in SHIPPED}, **self._of_site}

    def read_from(self, folder: Path) -> None:
        """Read the site's files. Raises `ConfigError` with every fault of theirs."""
        if self.profiles:
            self._of_site = load_all(folder / name for name in self.profiles)


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
    """`mqtt(s)://host[:port][/prefix]`: where the clinic's own systems are told of sessions and alerts."""

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
        return secret("mqtt.password", self.password_env, self.password_file)


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
    behind_after: Seconds = 600.0
    """Seconds without having all of the journal after which that is an alert."""

    def token(self) -> str:
        """The token to write with. Raises `ConfigError` where it is not to be had."""
        return secret("influxdb.token", self.token_env, self.token_file) or ""

    def read_token(self) -> str:
        """The token to read with: the one to write with, where no other is named."""
        return secret("influxdb.read_token", self.read_token_env, self.read_token_file) or self.token()


class JournalConfig(Section):
    """What the journal keeps."""

    keep_days: Annotated[int, Field(ge=30, le=36500)] | None = None
    """Readings and waveforms older than that are removed; for ever without it."""


class StationConfig(Section):
    """Everything that one station runs."""

    site: Name = "clinic"
    data_dir: str = "infusion-data"
    web: WebConfig = WebConfig()
    mqtt: MqttConfig = MqttConfig()
    journal: JournalConfig = JournalConfig()
    influxdb: InfluxdbConfig | None = None
    hl7: Hl7Config | None = None
    beds: Annotated[tuple[BedConfig, ...], Field(min_length=1)]
    alerts: AlertsConfig = AlertsConfig()
    sessions: SessionsConfig = SessionsConfig()
    notify: NotifyConfig = NotifyConfig()

    @property
    def device_ids(self) -> frozenset[tuple[str, str]]:
        """Every device: its bed, and its id there."""
        return frozenset((bed.id, device.id) for bed in self.beds for device in bed.devices)
