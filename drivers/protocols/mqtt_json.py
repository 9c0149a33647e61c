"""JSON messages over MQTT: one object a message, its fields named by the configuration or by the table below.

    {"time": "2026-11-25T01:25:41.123Z", "heart_rate": 72, "spo2": {"value": 97, "validity": "valid"},
     "nibp": {"time": "2026-11-25T01:24:00Z", "sys": 121, "dia": 78, "mean": 92},
     "pleth": {"rate": 75, "samples": [12, 15, 19]}}

Confidence A: the format is this project's own. What is read, and what never becomes a value:

- A vital is a number, a plain decimal text ("97", "36.6"), or an object with `value` and, where wanted, `validity`
  (valid, questionable, invalid), `cause` (a word of `drivers.events.Cause`) and `unit`. A field that is there without
  a usable number - null, "--", true, NaN, a list, a negative, a configured sentinel, an unknown unit - is an invalid
  reading; one that is not there is no reading. A validity that is none of the three words makes it questionable.
- Time is ISO 8601 with a zone, or a number since 1970 whose size tells seconds, milliseconds, microseconds or
  nanoseconds, not before September 2001. Without a usable one, or with one more than 5 s ahead, the time of receipt
  stands. A time of the past is kept however old: a message delivered after a day's outage was still measured then, and
  an old one must never look like now. The device status `clock` says so, once, when any of this begins (more than
  24 h counts as old) and ends.
- Cuff pressures are an event: they are given when they or their own time changed. The first ones without a time of
  their own may have been sent before: their age is unknown. A systolic without its diastolic is
  provisional.
- The message's time is that of a waveform's last sample.
- What is not such a message is counted in `counters.rejected` and shown once as the device status `payload`. An empty
  payload only clears a retained message, and is neither.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.clock import NS
from drivers.codec import Codec, Driver, Example, NoOptions
from drivers.events import Cause, DeviceStatus, Event, Reading, Validity, Waveform, measured, missing
from drivers.payload import ABSENT, SAME, UNITS, Path, Place, Refused, decode, instant
from drivers.vitals import VITALS, WAVEFORMS

_AHEAD_NS = 5 * NS
_OLD_NS = 24 * 3600 * NS
_HIGHEST_RATE = 10_000
"""Samples per second; the lowest is 1."""
_HIGHEST = 2**31 - 1
"""Of a waveform's sample: what a 32-bit array holds."""
_DECIMAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_NO_TIME = "the message has no time: the time of receipt is used"
_BAD_TIME = "the message's time is unreadable, without a zone, or never set: the time of receipt is used"
_AHEAD = "the message's time is in the future: the time of receipt is used"
_OLD = "the message's time is more than a day ago: a message long held back, or the sender's clock is wrong"

ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "heart_rate": ("hr", "HR", "heartRate"),
    "pulse_rate": ("pr", "PR", "pulse", "pulseRate"),
    "spo2": ("SpO2", "SPO2"),
    "nibp_sys": ("nibp.sys", "bp.sys"),
    "nibp_dia": ("nibp.dia", "bp.dia"),
    "nibp_mean": ("nibp.mean", "nibp.map", "bp.mean", "bp.map"),
    "abp_sys": ("abp.sys",),
    "abp_dia": ("abp.dia",),
    "abp_mean": ("abp.mean", "abp.map"),
    "resp_rate": ("rr", "RR", "respRate"),
    "etco2": ("EtCO2", "etCO2"),
    "temp": ("temperature",),
    "perfusion_index": ("pi", "PI"),
}
"""Where a vital is looked for when no fields are configured: its own key first, then these; the first found counts."""

_WORDS: Final = {validity.name.lower(): validity for validity in Validity}
_CAUSES: Final = {cause.value: cause for cause in Cause}


class FieldMap(BaseModel):
    """Where a vital stands in the payload, and how its number becomes the vital's own unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    unit: str = ""
    """The unit of `number * scale + offset`; empty for the vital's own."""
    scale: float = Field(default=1.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)


class Options(NoOptions):
    """How a sender's messages are to be read."""

    fields: dict[str, Path | FieldMap] = Field(default_factory=dict)
    """By vital: a path, or a path with scale, offset and unit. Where any are given, no other is read; without, each
    vital is looked for under its own key and the usual names (hr, SpO2, nibp.sys and so on: `ALIASES`)."""
    time: Path = "time"
    """Where the message says when its values were measured."""
    nibp_time: Path | None = None
    """When the cuff's determination ended; nibp.time or bp.time where none is configured."""
    validity: Path | None = None
    """The validity of the whole message: none of its readings is better."""
    sentinels: tuple[float, ...] = ()
    """Numbers by which the sender says "no value", before scale and unit."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        for vital, field in self.fields.items():
            if vital not in VITALS:
                raise ValueError(f"{vital}: no such vital; there are: {', '.join(VITALS)}")
            units = UNITS[VITALS[vital].unit]
            if isinstance(field, FieldMap) and field.unit and field.unit not in units:
                raise ValueError(f"{vital}: unit {field.unit!r} is none of {', '.join(units)}")
        return self


class _Vital:
    """Where one vital stands, and how what stands there becomes a reading."""

    def __init__(self, vital: str, paths: Iterable[str], how: FieldMap, sentinels: tuple[float, ...]) -> None:
        self.vital = vital
        self._places = tuple(Place(path) for path in paths)
        self._names = frozenset(place.first for place in self._places)
        self._units = UNITS[VITALS[vital].unit]
        self._unit = how.unit or VITALS[vital].unit
        self._scale, self._offset = how.scale, how.offset
        self._sentinels = sentinels

    def find(self, payload: dict[str, Any]) -> Any:
        # Most messages have few of all vitals.
        if self._names.isdisjoint(payload):
            return ABSENT
        for place in self._places:
            found = place.find(payload)
            if found is not ABSENT:
                return found
        return ABSENT

    def reading(self, found: Any, floor: Validity, observed_at: int, received_at: int) -> Reading:
        """What was found, as a reading whose validity is not better than `floor`."""
        unit: Any = self._unit
        validity, cause = floor, None
        if isinstance(found, dict):
            validity = max(floor, _validity(found.get("validity")))
            if isinstance(word := found.get("cause"), str):
                cause = _CAUSES.get(word)
            unit = found.get("unit") or unit
            found = found.get("value")
        value = None if validity is Validity.INVALID else self._value(found, unit)
        if value is None:
            return missing(self.vital, observed_at, received_at, cause or Cause.NO_DATA)
        if validity is Validity.VALID:
            return measured(self.vital, value, observed_at, received_at)
        reading = measured(self.vital, value, observed_at, received_at, (cause,) if cause else ())
        return reading._replace(validity=validity)

    def _value(self, found: Any, unit: Any) -> float | None:
        if isinstance(found, str) and _DECIMAL.fullmatch(found):
            found = float(found)
        if isinstance(found, bool) or not isinstance(found, int | float) or found in self._sentinels:
            return None
        conversion = self._units.get(unit) if isinstance(unit, str) else None
        if conversion is None:
            return None
        value = found * self._scale + self._offset
        if conversion != SAME:
            value = round(value * conversion[0] + conversion[1], 6)
        # No vital can be negative; NaN and infinity fail the comparison too.
        return value if 0 <= value < math.inf else None


class MqttJson(Codec):
    """One sender's messages. What was last given of the cuff survives a new link."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        vitals = _plan(options)
        self._running = tuple(each for each in vitals if not each.vital.startswith("nibp"))
        self._cuff = tuple(each for each in vitals if each.vital.startswith("nibp"))
        self._reads_dia = any(each.vital == "nibp_dia" for each in self._cuff)
        self._time = Place(options.time)
        self._cuff_times = tuple(map(Place, (options.nibp_time,) if options.nibp_time else ("nibp.time", "bp.time")))
        self._validity = Place(options.validity) if options.validity else None
        self._last_cuff: object = None
        self._problem = ""
        self._clock = ""

    def reset(self) -> None:
        """Nothing is pending between two messages."""

    def feed(self, data: bytes, received_at: int) -> list[Event]:
        """The events of one whole message."""
        self.counters.bytes += len(data)
        if not data:
            return []
        try:
            payload = decode(data)
        except Refused as refusal:
            return self._shown(str(refusal), received_at)
        observed_at, clock = _observed(self._time.find(payload), received_at)
        floor = _validity(self._validity.find(payload)) if self._validity else Validity.VALID
        readings: list[Event] = []
        for vital in self._running:
            found = vital.find(payload)
            if found is not ABSENT:
                readings.append(vital.reading(found, floor, observed_at, received_at))
        cuff = self._pressures(payload, floor, observed_at, received_at)
        waves, fault = _waveforms(payload, observed_at, received_at)
        if not readings and cuff is None and waves is None:
            return self._shown(fault or "no known field", received_at)
        self.counters.frames += 1
        events = self._shown(fault, received_at)
        if clock != self._clock:
            events.append(DeviceStatus("clock", bool(clock), clock or self._clock, received_at))
            self._clock = clock
        return events + readings + (cuff or []) + (waves or [])

    def _pressures(
        self, payload: dict[str, Any], floor: Validity, observed_at: int, received_at: int
    ) -> list[Event] | None:
        """The cuff's readings: None where the message has none, empty where they were already given."""
        found = [(vital, vital.find(payload)) for vital in self._cuff]
        if all(each is ABSENT for _, each in found):
            return None
        times = (instant(place.find(payload)) for place in self._cuff_times)
        own = next((at for at in times if at is not None), None)
        if own is not None and own - received_at <= _AHEAD_NS:
            observed_at = own
        readings = [vital.reading(each, floor, observed_at, received_at) for vital, each in found if each is not ABSENT]
        values = {reading.vital: reading.value for reading in readings}
        if self._reads_dia and values.get("nibp_dia") is None and values.get("nibp_sys") is not None:
            sys, *rest = readings
            cause = ",".join(filter(None, (Cause.PROVISIONAL, sys.cause)))
            readings = [sys._replace(validity=Validity.QUESTIONABLE, cause=cause), *rest]
        given = (own, [(reading.vital, reading.value, reading.validity, reading.cause) for reading in readings])
        if given == self._last_cuff:
            return []
        if own is None and self._last_cuff is None:
            readings = [reading._replace(cause=reading.cause or Cause.AGE_UNKNOWN) for reading in readings]
        self._last_cuff = given
        return list(readings)

    def _shown(self, problem: str, received_at: int) -> list[Event]:
        """Count what was wrong with a message, and tell when such messages begin and end."""
        before = self._problem
        if problem:
            self.counters.rejected += 1
        if bool(problem) == bool(before):
            return []
        self._problem = problem
        return [DeviceStatus("payload", bool(problem), problem or before, received_at)]


def _plan(options: Options) -> list[_Vital]:
    if not options.fields:
        return [_Vital(key, (key, *ALIASES[key]), FieldMap(path=key), options.sentinels) for key in VITALS]
    maps = {key: FieldMap(path=how) if isinstance(how, str) else how for key, how in options.fields.items()}
    return [_Vital(key, (maps[key].path,), maps[key], options.sentinels) for key in VITALS if key in maps]


def _validity(found: Any) -> Validity:
    if found is None or found is ABSENT:
        return Validity.VALID
    return _WORDS.get(found, Validity.QUESTIONABLE) if isinstance(found, str) else Validity.QUESTIONABLE


def _observed(found: Any, received_at: int) -> tuple[int, str]:
    """When the message's values were measured, and what is wrong with its time."""
    if found is None or found is ABSENT:
        return received_at, _NO_TIME
    at = instant(found)
    if at is None:
        return received_at, _BAD_TIME
    if at - received_at > _AHEAD_NS:
        return received_at, _AHEAD
    return at, _OLD if received_at - at > _OLD_NS else ""


def _waveforms(payload: dict[str, Any], ends_at: int, received_at: int) -> tuple[list[Event] | None, str]:
    """The waveforms, None where the message has none, and what was wrong with one."""
    waves: list[Event] | None = None
    fault = ""
    for name in WAVEFORMS:
        found = payload.get(name)
        if not isinstance(found, dict) or "samples" not in found:
            continue
        samples, rate = found["samples"], found.get("rate", 0)
        if not _are_samples(samples) or not _is_rate(rate):
            fault = f"{name}: expected a rate and samples that are whole numbers"
            continue
        waves = waves or []
        if samples:
            begins_at = ends_at - round((len(samples) - 1) * NS / rate)
            waves.append(Waveform(name, tuple(samples), float(rate), begins_at, received_at))
    return waves, fault


def _is_rate(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and 1 <= found <= _HIGHEST_RATE


def _are_samples(found: Any) -> bool:
    return isinstance(found, list) and all(type(each) is int and -_HIGHEST <= each <= _HIGHEST for each in found)


_OWN = "built by the rule: the format is this project's own"

DRIVER = Driver(
    name="mqtt_json",
    title="JSON over MQTT",
    devices=("whatever publishes JSON: gateways, home-made bridges, other programs",),
    make_codec=MqttJson,
    options=Options,
    vitals=tuple(VITALS),
    waveforms=tuple(WAVEFORMS),
    transports=("mqtt",),
    confidence="A",
    source="this project's own format",
    examples=(
        Example(
            b'{"time":"2026-01-01T00:00:00Z","heart_rate":72,"spo2":{"value":97,"validity":"valid"},'
            b'"nibp":{"time":"2025-12-31T23:58:00Z","sys":121,"dia":78,"mean":92}}',
            (
                ("heart_rate", 72, Validity.VALID),
                ("spo2", 97, Validity.VALID),
                ("nibp_sys", 121, Validity.VALID),
                ("nibp_dia", 78, Validity.VALID),
                ("nibp_mean", 92, Validity.VALID),
            ),
            _OWN,
        ),
        Example(
            b'{"time":1767225600,"spo2":{"value":null,"validity":"invalid","cause":"sensor_off"},"pulse":"--"}',
            (("pulse_rate", None, Validity.INVALID), ("spo2", None, Validity.INVALID)),
            _OWN,
        ),
        Example(
            b'{"ts":1767225600000,"vitals":[{"id":"sat","v":0.97},{"id":"t","v":98.6}]}',
            (("spo2", 97.0, Validity.VALID), ("temp", 37.0, Validity.VALID)),
            _OWN,
            {
                "time": "ts",
                "fields": {
                    "spo2": {"path": "vitals.0.v", "unit": "fraction"},
                    "temp": {"path": "vitals.1.v", "unit": "degF"},
                },
            },
        ),
    ),
)
