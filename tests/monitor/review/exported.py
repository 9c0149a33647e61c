"""What the tests of the exports with signals share: charts to be exported, and what a reader must find again."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Waveform
from drivers.recordings import csv
from monitor.review.chart import Chart
from monitor.review.exports.registry import EXPORTERS, Export
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.session import Session
from monitor.storage.backlog import RecordedWaveform
from tests.conftest import RECORDINGS
from tests.monitor.review.made import BED, Record
from tests.monitor.sessions.helpers import START

LONG = "Über den Wolken 気分が悪い, " * 30
"""Of more bytes than one annotation of WFDB holds."""
UW = RECORDINGS / "uw_hypoxia" / "uw_100001_1hz.csv"


class Read(NamedTuple):
    """A signal as another program reads it: a number for each sample, NaN where there is none."""

    rate: float
    value: NDArray[np.float64]


def visit_of(record: Record, minutes: float = 2, *notes: tuple[float, str]) -> Chart:
    """The chart of a session with these readings; `notes` are seconds and texts."""
    end = START + round(minutes * 60 * NS)
    opening = {"reference": "P 017 ä", "planned_minutes": 40, "profile": "adult_infusion"}
    parts = [(Kind.OPENED, START, opening)]
    parts += [(Kind.NOTE, START + round(second * NS), {"text": text}) for second, text in notes]
    parts += [(Kind.CLOSED, end, {"criteria": [], "reason": ""})]
    entries = [
        Entry("s1", number, kind, at, at, "Kim", BED, content, str(number))
        for number, (kind, at, content) in enumerate(parts, start=1)
    ]
    return record.chart(Session(entries))


def uw_visit() -> Chart:
    """A volunteer in induced hypoxia with several oximeters: SpO2 of each is one device's."""
    record = Record()
    for device in ("3900P", "Radical7"):
        recording = csv.read(UW, device)
        for vital, series in recording.series.items():
            record.measured(vital, series.t, series.value.tolist(), device=device)
    return visit_of(record, recording.ended / 60)


def written(
    name: str, chart: Chart, waveforms: Sequence[RecordedWaveform] | Callable[[], Sequence[RecordedWaveform]] = ()
) -> bytes:
    file = io.BytesIO()
    given = waveforms if callable(waveforms) else lambda: waveforms
    EXPORTERS[name]().write(Export(chart, "clinic", given), file)
    return file.getvalue()


def run(second: float, samples: Sequence[int], rate: float = 75.0, name: str = "pleth") -> RecordedWaveform:
    at = START + round(second * NS)
    return RecordedWaveform(BED, "oximeter", Waveform(name, tuple(samples), rate, at, at))


def found_again(
    chart: Chart, begins: float, signals: Mapping[str, Read], shown: Callable[[str, str], str], tolerance: float = 0
) -> None:
    """Assert that each reading of the chart is there, at its time, with its value or with none; and nothing else.

    `begins` is UTC seconds; `shown` makes of the name and the device of a signal its name in the file.
    """
    for track in chart.vitals.values():
        main = np.bincount(track.device).argmax()
        for number, device in enumerate(track.devices):
            name = track.vital if number == main else f"{track.vital} {device}"
            values, times = signals[shown(name, device)], signals[shown(f"@{name}", device)]
            assert values.rate == times.rate
            slot = np.flatnonzero(~np.isnan(times.value))
            at = begins + slot / times.rate + times.value[slot]
            of_device = track.device == number
            assert np.allclose(at, track.at[of_device] / NS, rtol=0, atol=6e-5)
            expected = np.where(track.known, track.value, np.nan)[of_device]
            assert np.allclose(values.value[slot], expected, rtol=0, atol=tolerance, equal_nan=True)
            assert np.isnan(np.delete(values.value, slot)).all()
