"""A chart as signals of fixed rates, for EDF and WFDB, and what of it no signal can hold.

Each vital of each device is a signal, and beside it `@` and its name: when each reading was measured, in seconds after
its slot's beginning (negative where it stands in the slot after its own), to 0.1 ms. A slot that has such a time and no
value is a reading that the device gave without a value. Waveforms follow, as the device sent them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.errors import ExportRefused
from drivers.events import Waveform
from drivers.vitals import VITALS
from monitor.review.exports.notes import Note, doubts, notes, recorded
from monitor.review.exports.registry import Export
from monitor.review.exports.slots import LARGEST, NONE, Scale, exact, scale, slots, stored
from monitor.review.tracks import Track
from monitor.storage.backlog import RecordedWaveform

_TIME = Scale(4, 0, rounded=False)
"""Of times within a slot: 0.1 ms."""
_PART = 16
"""Waveforms whose rate is a multiple of 1 / `_PART` keep it; others stand on the next whole rate."""
_MOST_SAMPLES = 100_000_000
"""An ECG at 500 Hz and three waveforms at 125 Hz for more than a day: a station has memory for that."""
_LATE = 0.5
"""Seconds by which a waveform stands later than it came, and is said to."""


class Signal(NamedTuple):
    """Numbers at a fixed rate."""

    name: str
    """Unique in a file."""
    device: str
    unit: str
    """Empty where there is none."""
    rate: Fraction
    """Samples a second."""
    samples: NDArray[np.int16]
    """From the beginning of the file, for `Signals.seconds`; `NONE` where there is no value."""
    scale: Scale
    remark: str
    """What else has to be known of its numbers; mostly empty."""


class Signals(NamedTuple):
    """All signals of a file, and its notes in order of time."""

    begins_at: int
    """UTC nanoseconds, a whole second."""
    seconds: int
    """A multiple of `frame`."""
    frame: int
    """Seconds in which every signal has a whole number of samples: 1, 2, 4, 8 or 16."""
    signals: tuple[Signal, ...]
    notes: tuple[Note, ...]


class _Placed(NamedTuple):
    """A signal before it is known how long the file is."""

    signal: Signal
    """`samples` are those that there are."""
    place: NDArray[np.int64]
    """Where each of them stands, rising."""


def signals_of(export: Export) -> Signals:
    """The chart and its waveforms.

    Raises JournalUnusable where waveforms cannot be read, and ExportRefused where they would be too many.
    """
    chart, runs = export.chart, [run for run in export.waveforms() if run.waveform.samples]
    since, until = recorded(chart)
    begins_at = min([since, *(run.waveform.observed_at for run in runs)]) // NS * NS
    said = notes(chart, export.site)
    values: list[_Placed] = []
    times: list[_Placed] = []
    for track in chart.vitals.values():
        said += doubts(track)
        for value, time in _of_track(track, begins_at, said):
            values.append(value)
            times.append(time)
    placed = [*values, *times, *_of_waveforms(runs, begins_at, said)]
    frame = max((one.signal.rate.denominator for one in placed), default=1)
    seconds = _seconds(until - begins_at, placed, frame)
    _check_size(placed, seconds)
    filled = tuple(_filled(one, seconds) for one in placed)
    return Signals(begins_at, seconds, frame, filled, tuple(sorted(said, key=lambda note: note.at)))


def _of_track(track: Track, begins_at: int, said: list[Note]) -> Iterator[tuple[_Placed, _Placed]]:
    """For each device the values and their times; to `said` is added what they cannot hold."""
    # Who looks for a vital finds it by its name: that is the signal of the device that measured it most.
    main = int(np.bincount(track.device).argmax())
    for number, device in enumerate(track.devices):
        name = track.vital if number == main else f"{track.vital} {device}"
        yield _of_device(track, number, name, begins_at, said)


def _of_device(track: Track, number: int, name: str, begins_at: int, said: list[Note]) -> tuple[_Placed, _Placed]:
    device = track.devices[number]
    unit = VITALS[track.vital].unit_label if track.vital in VITALS else ""
    at, value, known = (column[track.device == number] for column in (track.at, track.value, track.known))
    rate, place = slots(at - begins_at)
    by = scale(value[known])
    samples = np.full(len(at), NONE, np.int16)
    samples[known], inside = stored(value[known], by)
    untold = known & (place < 0)
    untold[known] |= ~inside if by.rounded else ~exact(value[known], by)
    for moment, it in zip(at[untold].tolist(), value[untold].tolist(), strict=True):
        said.append(Note(moment, None, f"{track.vital} of {device}: {it} {unit}".rstrip()))
    placed = place >= 0
    after = (at - begins_at - place * (NS // rate))[placed] / (NS / 10**_TIME.decimals)
    in_slot = np.rint(after).astype(np.int16)
    times = Signal(f"@{name}", device, "s", Fraction(rate), in_slot, _TIME, "time in slot")
    remark = "rounded" if by.rounded else ""
    values = Signal(name, device, unit, Fraction(rate), samples[placed], by, remark)
    return _Placed(values, place[placed]), _Placed(times, place[placed])


def _of_waveforms(runs: Iterable[RecordedWaveform], begins_at: int, said: list[Note]) -> Iterator[_Placed]:
    by_kind: dict[tuple[str, str, float], list[Waveform]] = {}
    for run in runs:
        by_kind.setdefault((run.waveform.name, run.device, run.waveform.rate), []).append(run.waveform)
    named: set[str] = set()
    for (name, device, rate), of_kind in sorted(by_kind.items(), key=lambda it: (-len(it[1]), it[0])):
        full = f"{name} {device} {rate:g}/s" if name in named else name
        named.add(name)
        yield _of_waveform(full, device, of_kind, begins_at, said)


def _of_waveform(name: str, device: str, runs: Sequence[Waveform], begins_at: int, said: list[Note]) -> _Placed:
    rate = Fraction(runs[0].rate)
    grid = rate if (rate * _PART).denominator == 1 else Fraction(math.ceil(rate))
    raw = np.concatenate([np.array(run.samples, np.int32) for run in runs])
    # 24-bit samples and the like lose their last digits: the file has 16.
    coarser, largest = 1, max(-int(raw.min()), int(raw.max()))
    while largest > LARGEST * coarser:
        coarser *= 10
    samples = (raw if coarser == 1 else np.rint(raw / coarser)).astype(np.int16)
    starts, late = _starts(runs, begins_at, grid)
    if late > _LATE:
        said.append(Note(runs[0].observed_at, None, f"{name}: stands up to {late:.1f} s later than it came"))
    lengths = np.array([len(run.samples) for run in runs])
    firsts = np.cumsum(lengths) - lengths
    if grid == rate:
        # A day of an ECG is millions of samples: what is done with all of them at once takes memory.
        place = np.arange(len(raw)) + np.repeat(np.array(starts, np.int64) - firsts, lengths)
    else:
        within = np.arange(len(raw)) - np.repeat(firsts, lengths)
        place = np.repeat(np.array(starts, np.int64), lengths) + np.rint(within * float(grid / rate)).astype(np.int64)
    remark = "as the device sent it" if coarser == 1 else f"1 is {coarser} of the device's"
    return _Placed(Signal(name, device, "", grid, samples, Scale(0, 0, rounded=coarser > 1), remark), place)


def _starts(runs: Sequence[Waveform], begins_at: int, grid: Fraction) -> tuple[list[int], float]:
    """Where each run begins, and by how many seconds the latest one stands later than it came.

    Runs are stamped when they come, some milliseconds early or late: one that begins within half its length of the end
    of the one before goes on from there. What is missing for longer is a gap. No sample is dropped: where a device
    sends more than it says, its runs are stacked one after the other.
    """
    starts: list[int] = []
    end, late = 0, 0.0
    a_second, step = float(grid), float(grid / Fraction(runs[0].rate))
    for run in runs:
        length = math.ceil(len(run.samples) * step)
        own = round((run.observed_at - begins_at) / NS * a_second)
        start = end if starts and own - end <= length // 2 else own
        late = max(late, (start - own) / a_second)
        starts.append(start)
        end = start + length
    return starts, late


def _seconds(nanoseconds: int, placed: Iterable[_Placed], frame: int) -> int:
    """How long a file is, so that each of these samples has its place."""
    ends = [math.ceil((int(one.place[-1]) + 1) / one.signal.rate) for one in placed if len(one.place)]
    return -(-max([-(-nanoseconds // NS), 1, *ends]) // frame) * frame


def _check_size(placed: Iterable[_Placed], seconds: int) -> None:
    """Raise ExportRefused where a file that has a place for every moment would be too large."""
    if seconds * sum(one.signal.rate for one in placed) > _MOST_SAMPLES:
        raise ExportRefused(
            f"the chart spans {seconds / 86_400:.1f} days: too many for a format with a place for every moment; "
            "csv, parquet, fhir, hl7 and vital have none for what was not measured"
        )


def _filled(placed: _Placed, seconds: int) -> Signal:
    samples = np.full(int(placed.signal.rate * seconds), NONE, np.int16)
    samples[placed.place] = placed.signal.samples
    return placed.signal._replace(samples=samples)


def ascii_of(text: str) -> str:
    """One line for a header that takes nothing else; other characters are escaped as Python does it."""
    printable = "".join(it if it.isprintable() else " " for it in text)
    return printable.encode("ascii", "backslashreplace").decode("ascii")
