"""Signals of equally spaced values, as WFDB and EDF have them: vitals where they are slow, waveforms where not.

Files of this program have beside a vital, which is called by its key, a signal `@` and the key: when each value was
measured, in seconds after its slot began. A slot with such a time and no value is a reading without one. Annotations
like `spo2 of oximeter: questionable, motion` say which readings are not valid, from the first of them to the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.recordings.bounds import check_readings, check_samples, check_seconds, named
from drivers.recordings.labels import FASTEST_NUMERIC, scale_of, vital_of, waveform_of
from drivers.recordings.measured import Measured, doubts, recording
from drivers.recordings.recording import Recording, Wave
from drivers.vitals import VITALS

_SLOWEST, _FASTEST = 1 / 86_400, 10_000.0
"""Values a second that anything that is measured has."""
_SLOT = 60.0
"""Seconds within which a value can be measured before or after its slot began."""
_SAME = 2_000_000
"""Nanoseconds by which times of annotations and of readings may differ that are one."""
_OF = re.compile(r"([a-z0-9_]+) of [^:]+: ((?:questionable|invalid)(?:, [a-z_,]+)?)(?: \(for (\d{1,9}\.\d{3}) s\))?")
_DECIMALS = 6
"""Of a value: more than any monitor gives."""


@dataclass(frozen=True)
class Signal:
    """One signal of a file."""

    name: str
    unit: str
    rate: float
    """Values per second."""
    digital: NDArray[np.int64]
    """As the file has them, n."""
    known: NDArray[np.bool_]
    """Which of them are values, bool[n]; the others are the file's sign for none."""
    gain: float
    """What a step of `digital` is in `unit`."""
    zero: float
    """`unit`s at the digital 0."""


class Said(NamedTuple):
    """An annotation."""

    at: int
    """Nanoseconds, on the clock of `begins_at`."""
    seconds: float
    """How long it goes on."""
    text: str


class _Doubt(NamedTuple):
    since: int
    until: int
    text: str


def sampled(path: Path, signals: Iterable[Signal], begins_at: int, said: Iterable[Said] = ()) -> Recording:
    """The recording of these signals, all of which begin at `begins_at`: UTC nanoseconds, 0 where that is not known.

    Raises BadCapture where none is a vital or a waveform that is known.
    """
    signals = list(signals)
    times = {signal.name[1:]: signal for signal in signals if signal.name[:1] == "@" and signal.name[1:] in VITALS}
    best: dict[tuple[bool, str], tuple[int, Signal]] = {}
    ignored: list[str] = []
    for signal in signals:
        if times.get(signal.name[1:]) is signal:
            continue
        slow = signal.rate <= FASTEST_NUMERIC
        found = vital_of(signal.name) if slow else waveform_of(signal.name)
        if (
            found is None
            or not _SLOWEST <= signal.rate <= _FASTEST
            or (slow and scale_of(found[0], signal.unit) is None)
        ):
            ignored.append(named(signal.name))
            continue
        before = best.get((slow, found[0]))
        if before is not None and before[0] <= found[1]:
            ignored.append(named(signal.name))
            continue
        if before is not None:
            ignored.append(named(before[1].name))
        best[slow, found[0]] = (found[1], signal)
    check_readings(path, sum(len(signal.digital) for (slow, _), (_, signal) in best.items() if slow))
    check_samples(path, sum(len(signal.digital) for (slow, _), (_, signal) in best.items() if not slow))
    for _, signal in best.values():
        check_seconds(path, begins_at / NS, begins_at / NS + len(signal.digital) / signal.rate)
    told = _told(said)
    vitals = {}
    for (slow, vital), (_, signal) in best.items():
        time = times.get(vital)
        if slow and time is not None and signal.name == vital and len(time.digital) == len(signal.digital):
            vitals[vital] = _own(vital, signal, time, begins_at, told.get(vital, ()))
        elif slow:
            vitals[vital] = _measured(vital, signal, begins_at)
    waves = [_wave(name, signal, begins_at) for (slow, name), (_, signal) in best.items() if not slow]
    return recording(path, vitals, waves, ignored)


def _times(places: NDArray[np.int64], rate: float, begins_at: int) -> NDArray[np.int64]:
    whole, part = np.divmod(places / rate, 1.0)
    times: NDArray[np.int64] = begins_at + whole.astype(np.int64) * NS + np.rint(part * NS).astype(np.int64)
    return times


def _measured(vital: str, signal: Signal, begins_at: int) -> Measured:
    places = np.flatnonzero(signal.known)
    factor, offset = scale_of(vital, signal.unit) or (1.0, 0.0)
    # A value has as many digits as its step: what is computed beyond them is the rounding of doubles.
    value = np.round(_physical(signal, places) * factor + offset, _DECIMALS)
    return Measured(_times(places, signal.rate, begins_at), value)


def _own(vital: str, signal: Signal, time: Signal, begins_at: int, told: Sequence[_Doubt]) -> Measured:
    """Each value at its own time, and those that are not valid."""
    places = np.flatnonzero(time.known | signal.known)
    after = np.clip(np.nan_to_num(_physical(time, places)), -_SLOT, _SLOT)
    after[~time.known[places]] = 0.0
    at = _times(places, signal.rate, begins_at) + np.rint(after * NS).astype(np.int64)
    value = np.round(_physical(signal, places), _DECIMALS)
    value[~signal.known[places]] = np.nan
    texts: dict[int, str] = {}
    for doubt in told:
        first, last = np.searchsorted(at, [doubt.since - _SAME, doubt.until + _SAME]).tolist()
        # It is of this signal where it begins and ends with readings of it: another device may have the same vital.
        if first < last and at[first] - doubt.since <= _SAME and doubt.until - at[last - 1] <= _SAME:
            texts |= dict.fromkeys(range(first, last), doubt.text)
    return Measured(at, value, doubts(vital, value, texts))


def _physical(signal: Signal, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values there in the signal's unit; NaN where it has a scale that makes no number of them."""
    with np.errstate(over="ignore", invalid="ignore"):
        value: NDArray[np.float64] = signal.digital[places].astype(np.float64) * signal.gain + signal.zero
    value[~np.isfinite(value)] = np.nan
    return value


def _told(said: Iterable[Said]) -> dict[str, list[_Doubt]]:
    found: dict[str, list[_Doubt]] = {}
    for one in said:
        if match := _OF.fullmatch(one.text):
            seconds = one.seconds if match[3] is None else float(match[3])
            found.setdefault(match[1], []).append(_Doubt(one.at, one.at + round(seconds * NS), match[2]))
    return found


def _wave(name: str, signal: Signal, begins_at: int) -> Wave:
    edges = np.flatnonzero(np.diff(signal.known.astype(np.int8), prepend=0, append=0))
    first, last = edges[::2], edges[1::2]
    samples = signal.digital[signal.known].astype(np.int32)
    return Wave(name, signal.rate, samples, _times(first, signal.rate, begins_at), (last - first).astype(np.int64))
