"""`infusion-monitor readings` and `alerts`: what the journal holds, beside a running station or after it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from drivers.clock import NS, SystemClock, iso
from drivers.errors import ConfigError
from drivers.vitals import VITALS
from monitor import config_file
from monitor.storage.history import EARLIEST, LATEST, History

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Bed = Annotated[str | None, typer.Option(help="Only this bed.")]
Since = Annotated[
    str | None, typer.Option(metavar="T", help="From then on: 2026-11-25T09:00:00Z, or 30s, 10m, 2h, 1d ago.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
DataDir = Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")]
Config = Annotated[Path | None, typer.Option(help="The station's configuration, for where its journal is.")]


def readings(
    bed: Bed = None,
    vital: Annotated[str | None, typer.Option(help="Only this vital.")] = None,
    since: Since = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print the recorded readings in the order of time."""
    if vital is not None and vital not in VITALS:
        raise ConfigError([f"there is no vital {vital!r}; there are: {', '.join(VITALS)}"])
    for row in _history(data_dir, config).readings(bed=bed, vital=vital, since=_moment(since)):
        value = "--" if row.value is None else f"{row.value:g}"
        doubt = "" if row.validity == 0 else f"{row.validity.name.lower()} {row.cause}"
        _print(
            row, as_json, f"{iso(row.observed_at)}  {row.bed}  {row.device}  {row.vital} {value} {row.unit}  {doubt}"
        )


def alerts(
    bed: Bed = None, since: Since = None, as_json: AsJson = False, data_dir: DataDir = None, config: Config = None
) -> None:
    """Print the recorded alerts, each change of a condition one line, in the order of time."""
    for row in _history(data_dir, config).alerts(bed=bed, since=_moment(since)):
        _print(row, as_json, f"{iso(row.at)}  {row.bed}  {row.priority:6}  {row.state:3}  {row.text}")


def _history(data_dir: Path | None, config: Path | None) -> History:
    if data_dir is None:
        data_dir = Path(config_file.load(config or config_file.default_path(), here=False).data_dir)
    return History(data_dir)


def _print(row: Any, as_json: bool, text: str) -> None:
    if not as_json:
        print(text.rstrip())
        return
    fields = row._asdict()
    for key in ("observed_at", "received_at", "at"):
        if key in fields:
            fields[key] = iso(fields[key])
    if "validity" in fields:
        fields["validity"] = row.validity.name.lower()
    print(json.dumps(fields, ensure_ascii=False))


def _moment(text: str | None) -> int | None:
    """UTC nanoseconds of a time or of a duration ago, at the ends of what the journal can hold for one beyond them.

    Raises `ConfigError`.
    """
    if text is None:
        return None
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        ago = min(float(match[1]) * _UNITS[match[2]] * NS, 2.0**65)
        return _within(SystemClock.now_ns() - int(ago))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError([f"--since {text}: expected a time like 2026-11-25T09:00:00Z, or 30s, 10m, 2h, 1d"]) from None
    return _within((_with_zone(moment) - _EPOCH) // timedelta(microseconds=1) * 1000)


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        # At the ends of the calendar local time may fall off it; the hours of a zone do not matter there.
        return moment.replace(tzinfo=UTC)


def _within(at_ns: int) -> int:
    return max(EARLIEST, min(LATEST, at_ns))
