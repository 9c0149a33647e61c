"""The waveforms that an export can ask for."""

from __future__ import annotations

from pathlib import Path

from monitor.review.chart import Chart
from monitor.review.exports.registry import export_of
from tests.monitor.review.recorded_session import after, chart_of


def test_every_run_of_the_session_is_given_once_in_order_of_time(visit: Chart, made_up: Path) -> None:
    runs = export_of(visit, "clinic", made_up).waveforms()
    begins = [run.waveform.observed_at for run in runs]
    assert begins == [after(second + third / 3) for second in range(120) if second != 60 for third in range(3)]
    assert {(run.bed, run.device, run.waveform.name, run.waveform.rate) for run in runs} == {
        ("chair-1", "oximeter", "pleth", 75.0)
    }
    assert [len(run.waveform.samples) for run in runs] == [25] * len(runs)


def test_there_is_none_where_none_was_recorded_and_from_influxdb(visit: Chart, made_up: Path) -> None:
    assert list(export_of(chart_of(made_up, "visit-2"), "clinic", made_up).waveforms()) == []
    assert list(export_of(visit, "clinic", None).waveforms()) == []
