"""Every sink that a configuration asks for: a new one is a file in this folder and a line here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.config import StationConfig
from monitor.sinks.influxdb import InfluxdbSink
from monitor.sinks.mllp import MllpSink
from monitor.sinks.sink import Sink


class Wanted(NamedTuple):
    """A sink, and what it is to be given."""

    sink: Sink
    waveforms: bool


def make_sinks(config: StationConfig, data_dir: Path) -> list[Wanted]:
    """The sinks of a station whose journal is in `data_dir`."""
    return list(_sinks(config, data_dir))


def names(config: StationConfig) -> set[str]:
    """What the journal calls the sinks of that configuration."""
    return {wanted.sink.name for wanted in _sinks(config, Path(config.data_dir))}


def _sinks(config: StationConfig, data_dir: Path) -> Iterator[Wanted]:
    if config.influxdb is not None:
        yield Wanted(InfluxdbSink(config.influxdb, config.site), config.influxdb.waveforms)
    if config.hl7 is not None:
        yield Wanted(MllpSink(config.hl7, config.site, data_dir), waveforms=False)
