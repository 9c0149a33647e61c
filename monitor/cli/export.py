"""`infusion-monitor export`: sessions as files of other programs' formats."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from drivers.clock import NS, SystemClock
from drivers.errors import ConfigError, ExtraMissing, InfusionMonitorError, SessionUnknown
from monitor.cli.charts import From, Site, source_of
from monitor.cli.options import Config, DataDir, configuration, data_folder
from monitor.cli.output_file import output_file
from monitor.cli.progress import progress
from monitor.cli.records import Source as Where
from monitor.review.chart import build
from monitor.review.exports.registry import EXPORTERS, Exporter, export_of
from monitor.review.source import Source
from monitor.sessions.session import Session

_FORMATS = ", ".join(EXPORTERS)
_LONGEST_NAME = 120


def export(
    *,
    session: Annotated[str | None, typer.Argument(metavar="SESSION", help="By its id; or --month.")] = None,
    format_: Annotated[str, typer.Option("--format", metavar="FORMAT", help=f"One of {_FORMATS}.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file, or a folder; `-` is the standard output.")],
    month: Annotated[
        str | None,
        typer.Option(
            metavar="2026-11", help="Every session opened in that month, in this machine's time: a file each."
        ),
    ] = None,
    as_signed: Annotated[bool, typer.Option("--as-signed", help="As the chart was when it was last signed.")] = False,
    from_: From = Where.JOURNAL,
    site: Site = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Write the chart of a session, or of each of a month, in a format that other programs read.

    Files that are there already are replaced, each when the new one is whole. In a folder they are named by reference
    and session. What each format holds: docs/exports.md. Exit code 1: something could not be exported; it is named.
    """
    if (session is None) == (month is None):
        raise ConfigError(["expected either a session or --month"])
    exporter = _exporter(format_)
    source = source_of(from_, data_dir, config, site)
    files = _Files(
        source,
        exporter,
        configuration(config).site if site is None else site,
        data_folder(config, data_dir) if from_ is Where.JOURNAL else None,
        as_signed=as_signed,
    )
    if month is not None:
        _month(files, source, month, output)
    elif session is not None:
        asked = source.session(session)
        files.write(asked, output / files.name(asked) if output.is_dir() else output)


def _exporter(name: str) -> Exporter:
    if name not in EXPORTERS:
        raise ConfigError([f"--format {name}: expected one of {_FORMATS}"])
    return EXPORTERS[name]()


class _Files:
    """Exports of one format."""

    def __init__(self, source: Source, exporter: Exporter, site: str, journal: Path | None, *, as_signed: bool) -> None:
        self._source = source
        self._exporter = exporter
        self._site = site
        self._journal = journal
        self._as_signed = as_signed

    def name(self, session: Session) -> str:
        """What its file is called in a folder: no reference can lead out of it."""
        stem = re.sub(r"[^\w.-]", "_", f"{session.reference}_{session.id}").lstrip(".")
        return stem[:_LONGEST_NAME] + self._exporter.suffix

    def write(self, session: Session, file: Path) -> None:
        """Write one. Raises SessionUnknown where it is asked for as signed, and never was."""
        shown = session.as_signed() if self._as_signed else session
        if shown is None:
            raise SessionUnknown(f"the chart of {session.id} was never signed")
        chart = build(self._source, shown, SystemClock.now_ns())
        with output_file(file) as opened:
            self._exporter.write(export_of(chart, self._site, self._journal), opened)


def _month(files: _Files, source: Source, month: str, folder: Path) -> None:
    since, until = _span(month)
    if str(folder) == "-":
        raise ConfigError(["--output -: a month is several files: expected a folder"])
    sessions = list(source.sessions(since, until))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{folder} cannot be made: {error.strerror or error}"]) from error
    failed: list[str] = []
    with progress("exporting", len(sessions)) as step:
        for session in sessions:
            try:
                files.write(session, folder / files.name(session))
            except ExtraMissing:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are exported
                why = str(error) if isinstance(error, InfusionMonitorError) else repr(error)
                failed.append(f"{session.reference} {session.id}: {why}")
            step(1)
    print(f"{folder}: {len(sessions) - len(failed)} of {len(sessions)} sessions of {month}")
    if failed:
        print("infusion-monitor: not exported:", *failed, sep="\n", file=sys.stderr)
        raise typer.Exit(1)


def _span(month: str) -> tuple[int, int]:
    """The beginning and the end of a month by the machine's clock, UTC nanoseconds."""
    if (match := re.fullmatch(r"(\d{4})-(\d{2})", month)) is None:
        raise ConfigError([f"--month {month}: expected a month like 2026-11"])
    year, number = int(match[1]), int(match[2])
    try:
        ends = [datetime(year, number, 1), datetime(year + number // 12, number % 12 + 1, 1)]  # noqa: DTZ001 - local
        since, until = (int(it.astimezone().timestamp()) * NS for it in ends)
    except (ValueError, OverflowError, OSError):
        raise ConfigError([f"--month {month}: expected a month like 2026-11"]) from None
    return since, until
