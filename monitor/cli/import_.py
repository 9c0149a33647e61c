"""`infusion-monitor import`: a recording of another program, or of this one elsewhere, becomes a closed session.

Exit codes: 0 all of it is on disk; 1 refused, or the file cannot be read; 2 wrong use or configuration; 3 all of it is,
but the closing is not on disk yet; 4 it is not known whether all of it is there: the same command goes on with it.
"""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from drivers.clock import SystemClock
from drivers.errors import InfusionMonitorError, StepRefused
from monitor.cli import session_print
from monitor.cli.moments import moment
from monitor.cli.options import AsJson, By, Config, DataDir, configuration, exit_code, login, say_whether_recorded
from monitor.config import StationConfig

_TOLD = 20
"""Names of what is not read that are printed."""


class Format(StrEnum):
    """The formats of `drivers.recordings.formats`."""

    CSV = "csv"
    WFDB = "wfdb"
    VITAL = "vital"
    EDF = "edf"


def import_(
    file: Annotated[Path, typer.Argument(help="The recording.")],
    bed: Annotated[str, typer.Option(help="Where it is to be found later: a bed, or any other name for one.")],
    *,
    format_: Annotated[
        Format | None, typer.Option("--format", help="What it is; else known by the file's ending.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="T", help="When it began: 2026-11-25T09:00:00Z; else as the file says, else it ends now."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="A pseudonym of the patient; else made of the file's name.")
    ] = None,
    device: Annotated[str, typer.Option(help="What is to stand for what measured it.")] = "imported",
    of: Annotated[
        str, typer.Option("--of", metavar="NAME", help="Of a file with several devices: what one of them gave.")
    ] = "",
    by: By = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Import a recording as a closed session, for review and what-if. Works beside a station and without.

    Nothing of it raises an alert or is shown as the present. Said again, an import that was interrupted is finished.
    """
    try:
        # NumPy takes longer to load than most commands take.
        from monitor.cli import import_steps  # noqa: PLC0415 - see above

        station = configuration(config)
        _refuse_live_device(station, bed, device)
        asked = import_steps.Asked(
            file,
            None if format_ is None else format_.value,
            of,
            bed,
            device,
            reference,
            None if start is None else moment(start, "--start"),
            by or login(),
        )
        folder = data_dir or Path(station.data_dir)
        told = import_steps.imported(asked, folder, station, SystemClock.now_ns())
    except InfusionMonitorError as error:
        if as_json:
            print(session_print.as_json(session_print.error(error)))
        else:
            print(session_print.error_text(error, "import"), file=sys.stderr)
        raise typer.Exit(exit_code(error)) from error
    print(session_print.as_json(told) if as_json else _text(told, data_dir))
    say_whether_recorded(told, as_json=as_json)


def _refuse_live_device(station: StationConfig, bed: str, device: str) -> None:
    """What is imported as a device that the bed has would be taken for what that one gave."""
    if any(it.id == bed and device in {one.id for one in it.devices} for it in station.beds):
        raise StepRefused(f"{device} is a device of {bed}: what is imported needs another --device")


def _text(told: dict[str, Any], data_dir: Path | None) -> str:
    lines = [
        f"{told['bed']}  {told['session']}  {told['reference']}  {told['since']} to {told['until']}",
        f"  times     {told['times']}",
        *(f"  {vital:15} {number:>9,} readings" for vital, number in told["readings"].items()),
        *(f"  {name:15} {number:>9,} samples" for name, number in told["waveforms"].items()),
    ]
    if ignored := told["ignored"]:
        more = f", and {len(ignored) - _TOLD} more" if len(ignored) > _TOLD else ""
        lines.append(f"  not read  {', '.join(ignored[:_TOLD])}{more}")
    where = "" if data_dir is None else f" --data-dir {shlex.quote(str(data_dir))}"
    lines += [
        f"  infusion-monitor report {told['session']}{where}",
        f"  infusion-monitor what-if --session {told['session']} --profile adult_infusion{where}",
    ]
    return "\n".join(lines)
