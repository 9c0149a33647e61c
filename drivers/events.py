"""What a codec gives: readings, waveforms, the device's state and the device's own alarms.

All times are UTC nanoseconds. `received_at` is when the last byte came; `observed_at` is when the value was measured,
which is the same unless the device tells an age. Events are plain tuples: the hot path makes thousands a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

from drivers.clock import NS
from drivers.vitals import VITALS


class Validity(IntEnum):
    """How far a reading can be trusted, after MeasurementValidity of ISO/IEEE 11073-10207."""

    VALID = 0
    QUESTIONABLE = 1
    """A value, with a doubt that `cause` names: motion, low perfusion, early estimate, unproven checksum."""
    INVALID = 2
    """No value: the device said that it has none, and `cause` says why where it is known."""


class Cause(StrEnum):
    """Why a reading is not valid, or what else must be known of it. Several are joined by a comma."""

    SENSOR_OFF = "sensor_off"
    SEARCHING = "searching"
    """Out of track: the oximeter has no steady pulse."""
    ARTIFACT = "artifact"
    LOW_PERFUSION = "low_perfusion"
    NO_DATA = "no_data"
    """The device sent its sign for "no value" and no reason."""
    MEASUREMENT_FAILED = "measurement_failed"
    PROVISIONAL = "provisional"
    """A systolic that came before its diastolic and mean: the cuff is still working."""
    AGE_UNKNOWN = "age_unknown"
    """The value is good, but the device repeats it without a time and it stood there before the recorder looked."""
    CHECKSUM = "checksum"
    """The check characters do not agree, in a protocol whose rule is itself unproven."""
    IMPLAUSIBLE = "implausible"
    """Outside the vital's plausible range."""


def is_provisional(cause: str) -> bool:
    """Whether PROVISIONAL is among these causes, which a comma joins."""
    # No other cause's word contains it.
    return Cause.PROVISIONAL in cause


class Reading(NamedTuple):
    """One value of one vital, in the vital's own unit."""

    vital: str
    value: float | None
    """None exactly where `validity` is INVALID."""
    validity: Validity
    observed_at: int
    received_at: int
    cause: str = ""
    clock_behind: float = 0.0
    """Seconds by which the device's clock was judged to be behind (`clock_lag`). `observed_at` stays as the device gave
    it, so that a reading delivered twice is still one."""

    episodic: bool = False
    """One of those that are measured now and then (a cuff, a spot check): it has an age, it does not go stale."""

    @property
    def age(self) -> float:
        """Seconds between the measurement and the receipt, as far as the device's clock is believed."""
        return max(0.0, (self.received_at - self.observed_at) / NS - self.clock_behind)


class Waveform(NamedTuple):
    """A run of equally spaced samples; a gap is a run that is not there."""

    name: str
    """A key of `vitals.WAVEFORMS`."""
    samples: tuple[int, ...]
    """As the device sent them, without scale."""
    rate: float
    """Samples per second."""
    observed_at: int
    """Of the first sample."""
    received_at: int


class DeviceStatus(NamedTuple):
    """Something of the device itself began or ended: battery low, sensor off."""

    code: str
    active: bool
    text: str
    received_at: int


class DeviceAlarm(NamedTuple):
    """The device's own alarm began or ended; passed on as it is, never judged here."""

    code: str
    active: bool
    text: str
    received_at: int


Event = Reading | Waveform | DeviceStatus | DeviceAlarm


class LinkState(StrEnum):
    """The state of the link to a device."""

    CONNECTING = "connecting"
    """Never been up yet in this run."""
    RECEIVING = "receiving"
    SILENT = "silent"
    """The link stands, and nothing comes."""
    UNDECODABLE = "undecodable"
    """Bytes come, and none of them can be decoded: wrong driver, baud rate or format."""
    LOST = "lost"
    """The link broke; it is being opened again."""
    REFUSED = "refused"
    """A person is needed: permission, password, a port in use."""
    ENDED = "ended"
    """A capture was read to its end."""


def measured(vital: str, value: float, observed_at: int, received_at: int, doubts: Sequence[Cause] = ()) -> Reading:
    """A reading that has a value: valid, or questionable for `doubts` or for lying outside the plausible range."""
    about = VITALS[vital]
    low, high = about.plausible
    if not low <= value <= high:
        doubts = (*doubts, Cause.IMPLAUSIBLE)
    validity = Validity.QUESTIONABLE if doubts else Validity.VALID
    return Reading(vital, value, validity, observed_at, received_at, ",".join(doubts), 0.0, about.episodic)


def missing(vital: str, observed_at: int, received_at: int, *causes: Cause) -> Reading:
    """A reading that has no value, for `causes` (NO_DATA where the device gave none)."""
    cause = ",".join(causes or (Cause.NO_DATA,))
    return Reading(vital, None, Validity.INVALID, observed_at, received_at, cause, 0.0, VITALS[vital].episodic)
