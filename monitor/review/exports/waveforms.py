"""The waveforms of a session: only the journal keeps them, a chart does not need them."""

from __future__ import annotations

from pathlib import Path

from drivers.vitals import WAVEFORMS
from monitor.review.chart import Chart
from monitor.storage.backlog import RecordedWaveform
from monitor.storage.history import LATEST, History


def of_session(data_dir: Path | None, chart: Chart) -> list[RecordedWaveform]:
    """Every run of samples that belongs to the session with at least a part, in order of time; each is here once.

    There is none where `data_dir`, the journal's folder, is None: InfluxDB has no waveforms.
    Raises JournalUnusable.
    """
    if data_dir is None:
        return []
    history = History(data_dir)
    until = chart.span.until if chart.session.closed_at is None else LATEST
    found = {
        (run.device, run.waveform.name, run.waveform.observed_at, run.waveform.samples): run
        for bed, begins, ends in chart.session.stretches(until)
        for name in WAVEFORMS
        for run in history.waveforms(bed, name, begins, ends)
    }
    return sorted(found.values(), key=lambda run: (run.waveform.observed_at, run.waveform.name, run.device))
