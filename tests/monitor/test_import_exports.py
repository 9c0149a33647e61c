"""What the program exports it can import again, in every format that has readings: the same, each at its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.events import Cause, Event, Validity, Waveform, measured, missing
from drivers.recordings import formats
from monitor.review.chart import Chart, build
from monitor.review.exports.registry import EXPORTERS, export_of
from monitor.review.source import JournalSource
from monitor.storage.journal import Journal
from tests.monitor.sessions.helpers import START, chart

TO_THE_TENTH_OF_A_MILLISECOND = 50_000
CLOSE = {"csv": 0, "vital": 250, "edf": TO_THE_TENTH_OF_A_MILLISECOND, "wfdb": TO_THE_TENTH_OF_A_MILLISECOND}
"""Nanoseconds to which a format tells times."""


def readings() -> Iterator[Event]:
    for second in range(600):
        at = START + second * NS + second % 7 * 1_000_000
        if second % 50 == 49:
            yield missing("spo2", at, at, Cause.SENSOR_OFF)
        else:
            doubts = (Cause.ARTIFACT,) if second % 100 < 5 else ()
            yield measured("spo2", 90.0 + second % 9, at, at, doubts)
        yield measured("temp", 36.5 + second % 3 / 10, at, at)
        if second % 300 == 0:
            # Twice the same, five minutes apart: two readings.
            yield measured("nibp_sys", 120.0, at, at)
            yield measured("nibp_dia", 80.0, at, at)
    yield Waveform("pleth", tuple(range(250)), 125.0, START, START)


@pytest.fixture
async def visit(tmp_path: Path) -> tuple[Path, Chart]:
    folder = tmp_path / "data"
    journal = Journal(folder, commit_every=0.001)
    journal.open()
    journal.record_entries(chart(("baseline", 1), ("start", 2), ("stop", 8), ("recovery", 9), ("close", 10)).entries)
    journal.record("chair-1", "oximeter", list(readings()))
    await journal.close()
    source = JournalSource(folder)
    return folder, build(source, source.session("s1"), 0)


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
@pytest.mark.parametrize("name", formats.FORMATS)
def test_an_export_is_the_same_recording(visit: tuple[Path, Chart], tmp_path: Path, name: str) -> None:
    folder, of_visit = visit
    exporter = EXPORTERS[name]()
    path = tmp_path / f"visit{exporter.suffix}"
    with path.open("wb") as file:
        exporter.write(export_of(of_visit, "here", folder), file)
    found = formats.reader(path)(path)
    assert list(found.series) == list(of_visit.vitals)
    for vital, track in of_visit.vitals.items():
        series = found.series[vital]
        theirs = [(it.vital, it.value, it.validity, it.cause) for it in _of(found, vital)]
        assert theirs == [
            (vital, None if validity == Validity.INVALID else value, Validity(validity), track.causes[cause])
            for value, validity, cause in zip(
                track.value.tolist(), track.validity.tolist(), track.cause.tolist(), strict=True
            )
        ]
        assert abs(series.observed_at - track.at).max() <= CLOSE[name]
    if name != "csv":
        [pleth] = found.waveforms
        assert (pleth.name, pleth.rate, pleth.samples.tolist()) == ("pleth", 125, list(range(250)))
        assert pleth.begins.tolist() == [START]


def _of(recording, vital):
    return [reading for _, batch in recording.readings() for reading in batch if reading.vital == vital]
