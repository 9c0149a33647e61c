"""`infusion-monitor readings` and `alerts`: what was recorded.

From the journal of this machine, beside a running station or after it, or from the InfluxDB that it is forwarded to,
as a head office does that reads the beds of many sites.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from drivers.clock import iso
from drivers.errors import ConfigError
from drivers.vitals import VITALS
from monitor import config_file
from monitor.alerts.conditions import AlertEvent, AlertState
from monitor.cli.moments import moment
from monitor.cli.options import data_folder
from monitor.config import InfluxdbConfig
from monitor.storage.history import History, ReadingRow

if TYPE_CHECKING:
    from monitor.sinks.influxdb_history import InfluxdbHistory

_WIDEST_STATE = max(map(len, AlertState))

_Row = TypeVar("_Row")


class Source(StrEnum):
    """Where records are read."""

    JOURNAL = "journal"
    INFLUXDB = "influxdb"


Bed = Annotated[str | None, typer.Option(help="Only this bed.")]
Since = Annotated[
    str | None, typer.Option(metavar="T", help="From then on: 2026-11-25T09:00:00Z, or 30s, 10m, 2h, 1d ago.")
]
From = Annotated[
    Source,
    typer.Option(
        "--from",
        help="Where to read: this machine's journal, or the InfluxDB of the configuration, which has all sites that "
        "forward to it.",
    ),
]
Site = Annotated[str | None, typer.Option(help="Only this site; with --from influxdb.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
DataDir = Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")]
Config = Annotated[Path | None, typer.Option(help="The station's configuration, for where its records are.")]


def readings(
    bed: Bed = None,
    vital: Annotated[str | None, typer.Option(help="Only this vital.")] = None,
    since: Since = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
    from_: From = Source.JOURNAL,
    site: Site = None,
) -> None:
    """Print the recorded readings in the order of time.

    InfluxDB does not have `received_at`: it is null in what --json prints from there.
    """
    if vital is not None and vital not in VITALS:
        raise ConfigError([f"there is no vital {vital!r}; there are: {', '.join(VITALS)}"])
    after = None if since is None else moment(since, "--since")
    rows: Iterator[tuple[str | None, ReadingRow]]
    if from_ is Source.INFLUXDB:
        rows = _influxdb(data_dir, config).readings(site=site, bed=bed, vital=vital, since=after)
    else:
        rows = _of_one_site(_history(data_dir, config, site).readings(bed=bed, vital=vital, since=after))
    for where, row in rows:
        value = "--" if row.value is None else f"{row.value:g}"
        doubt = "" if row.validity == 0 else f"{row.validity.name.lower()} {row.cause}"
        _print(
            where, row, as_json, row.observed_at, f"{row.bed}  {row.device}  {row.vital} {value} {row.unit}  {doubt}"
        )


def alerts(
    bed: Bed = None,
    since: Since = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
    from_: From = Source.JOURNAL,
    site: Site = None,
) -> None:
    """Print the recorded alerts in the order of time, each change one line: what became of it, and by whom or why."""
    after = None if since is None else moment(since, "--since")
    rows: Iterator[tuple[str | None, AlertEvent]]
    if from_ is Source.INFLUXDB:
        rows = _influxdb(data_dir, config).alerts(site=site, bed=bed, since=after)
    else:
        rows = _of_one_site(_history(data_dir, config, site).alerts(bed=bed, since=after))
    for where, row in rows:
        text = f"{row.bed or 'station'}  {row.priority:6}  {row.state:{_WIDEST_STATE}}  {row.text}{_cause(row)}"
        _print(where, row, as_json, row.at, text)


def _cause(alert: AlertEvent) -> str:
    """Who did it, or else why it came."""
    if alert.actor:
        return f"  by {alert.actor}"
    return f"  ({alert.why})" if alert.why else ""


def _history(data_dir: Path | None, config: Path | None, site: str | None) -> History:
    if site is not None:
        raise ConfigError(["--site is for --from influxdb: a journal is of one site"])
    return History(data_folder(config, data_dir))


def _of_one_site(rows: Iterator[_Row]) -> Iterator[tuple[None, _Row]]:
    return ((None, row) for row in rows)


def _influxdb(data_dir: Path | None, config: Path | None) -> InfluxdbHistory:
    from monitor.sinks.influxdb_history import InfluxdbHistory  # noqa: PLC0415 - it takes half the start of a command

    section, _ = influxdb_of(data_dir, config)
    return InfluxdbHistory(section)


def influxdb_of(data_dir: Path | None, config: Path | None) -> tuple[InfluxdbConfig, str]:
    """Where the configuration says that InfluxDB is, and its own site. Raises ConfigError."""
    if data_dir is not None:
        raise ConfigError(["--data-dir is for --from journal: InfluxDB is where the configuration says"])
    file = config or config_file.default_path()
    loaded = config_file.load(file, here=False)
    if loaded.influxdb is None:
        raise ConfigError([f"{file}: has no section `influxdb`, which says where it is"])
    return loaded.influxdb, loaded.site


def _print(site: str | None, row: Any, as_json: bool, at: int, text: str) -> None:
    if not as_json:
        print(f"{iso(at)}  {'' if site is None else f'{site}  '}{text}".rstrip())
        return
    fields: dict[str, Any] = {} if site is None else {"site": site}
    fields |= row._asdict()
    for key in ("observed_at", "received_at", "at"):
        if fields.get(key) is not None:
            fields[key] = iso(fields[key])
    if "validity" in fields:
        fields["validity"] = row.validity.name.lower()
    print(json.dumps(fields, ensure_ascii=False))
