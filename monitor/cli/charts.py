"""Where the commands that show charts read: this machine's journal, or the InfluxDB of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drivers.errors import ConfigError
from monitor.cli.options import data_folder
from monitor.cli.records import Source as Where
from monitor.cli.records import influxdb_of
from monitor.review.source import JournalSource, Source

From = Annotated[
    Where,
    typer.Option("--from", help="Where to read: this machine's journal, or the InfluxDB of the configuration."),
]
Site = Annotated[
    str | None, typer.Option(help="The site of the session; with --from influxdb, else that of the configuration.")
]


def source_of(where: Where, data_dir: Path | None, config: Path | None, site: str | None) -> Source:
    """What charts are made from. Raises ConfigError and JournalUnusable."""
    if where is Where.INFLUXDB:
        from monitor.review.influx_source import InfluxdbSource  # noqa: PLC0415 - it takes half the start of a command

        section, own = influxdb_of(data_dir, config)
        return InfluxdbSource(section, own if site is None else site)
    if site is not None:
        raise ConfigError(["--site is for --from influxdb: a journal is of one site"])
    return JournalSource(data_folder(config, data_dir))
