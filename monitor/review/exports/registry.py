"""Every format that a session can be exported in: a new one is a file in this folder and a line here.

A module of this package exports `EXPORTER`. Modules are imported when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from monitor.review.chart import Chart
from monitor.review.exports import waveforms
from monitor.storage.backlog import RecordedWaveform


class Export(NamedTuple):
    """What is exported."""

    chart: Chart
    site: str
    """As the configuration names it."""
    waveforms: Callable[[], Sequence[RecordedWaveform]]
    """Gives every run of samples of the session, in order of time; a format without waveforms never calls it."""


class Exporter(Protocol):
    """One format."""

    name: str
    """As it is asked for."""
    suffix: str
    """Of its files, with its dot."""
    media_type: str
    extra: str
    """What has to be installed with the program for it, as in `infusion-monitor[EXTRA]`; empty where nothing has."""

    def write(self, export: Export, file: BinaryIO) -> None:
        """Write the whole file, forwards only.

        Raises ExtraMissing, ExportRefused where the format cannot hold the chart, and JournalUnusable where waveforms
        are read.
        """


def _exporter(module: str) -> Exporter:
    exporter: Exporter = import_module(f"monitor.review.exports.{module}").EXPORTER
    return exporter


EXPORTERS: Mapping[str, Callable[[], Exporter]] = {
    "csv": lambda: _exporter("csv"),
    "parquet": lambda: _exporter("parquet"),
    "fhir": lambda: _exporter("fhir"),
    "hl7": lambda: _exporter("hl7"),
    "edf": lambda: _exporter("edf"),
    "wfdb": lambda: _exporter("wfdb"),
    "vital": lambda: _exporter("vital"),
}
"""By the name of the format; called, each gives its exporter."""


def export_of(chart: Chart, site: str, data_dir: Path | None) -> Export:
    """The chart to be exported; `data_dir` has the journal that it is from, None where it is from InfluxDB."""
    return Export(chart, site, partial(waveforms.of_session, data_dir, chart))
