"""`infusion-monitor what-if`: what an alert profile would have said to what was recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drivers.errors import ConfigError
from monitor.alerts import profile_file
from monitor.cli.options import DataDir, configuration

if TYPE_CHECKING:
    from drivers.recordings.recording import Recording
    from monitor.alerts.what_if_columns import Moment

_NOT_JUDGED = (
    "Not judged: devices that are lost, sensors that are off the patient (their vitals count as stale), what devices "
    "say and their own alarms, and what a cuff on the same arm explains."
)
_Rule = Annotated[str, typer.Option(metavar="PROFILE", help="A file, the name of a shipped profile, or a sentence.")]


def what_if(
    profile: _Rule,
    session: Annotated[
        list[str] | None, typer.Option(metavar="ID...", help="Sessions of the journal, one or several.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every session of the journal.")] = False,
    recording: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE...", help="Files, one or several: CSV, WFDB (.hea, .zip), .vital or EDF."),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    against: Annotated[
        str | None, typer.Option(metavar="PROFILE", help="Another profile, as --profile: what would it change?")
    ] = None,
    device: Annotated[
        str, typer.Option(help="Of a file of several devices (a CSV with SpO2_3900P): what one of them gave.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: onsets and ends, in seconds.")] = False,
    data_dir: DataDir = None,
    config: Annotated[Path | None, typer.Option(help="The station's configuration: cuff intervals, journal.")] = None,
) -> None:
    """Choose limits from evidence: judge what was recorded by an alert profile, and print how often it would alert.

    Not judged are devices that are lost, sensors that are off the patient (their vitals count as stale), what devices
    say and their own alarms, and what a cuff on the same arm explains. Limits that were set for one session are not
    looked at: it is the profile that is judged. A CSV has seconds in `t`, and columns named HR, PR, SpO2, PI, RR, SBP,
    DBP, MBP or by the vitals' own keys; blank or NaN is missing.
    """
    # NumPy takes longer to load than most commands take.
    from monitor.alerts import what_if_report  # noqa: PLC0415 - see above

    chosen = profile_file.named_or_file(profile)
    other = None if against is None else profile_file.named_or_file(against)
    sessions, files = _asked(session, recording, more or [], all_=all_)
    found, compared = [], []
    compiled = (chosen.compiled(), None if other is None else other.compiled())
    for one, visits in _recordings(sessions, files, device, data_dir, config):
        found.append(what_if_report.judged(compiled[0], one, visits))
        if compiled[1] is not None:
            compared.append(what_if_report.judged(compiled[1], one, visits))
    if as_json:
        result: object = what_if_report.as_json(found)
        if other is not None:
            result = {"profile": result, "against": what_if_report.as_json(compared)}
        print(json.dumps(result, ensure_ascii=False))
        return
    print(_NOT_JUDGED)
    if not found:
        print("There is no session.")
    names = [chosen.profile, "" if other is None else other.profile]
    for named, several, told in zip(names, (found, compared), (profile, against), strict=True):
        if several:
            print("\n" + "\n".join(what_if_report.text(f"{told} ({named})" if told != named else named, several)))
    if compared:
        print("\n" + "\n".join(what_if_report.differences((profile, str(against)), found, compared)))


def _asked(
    sessions: list[str] | None, files: list[str] | None, more: list[str], *, all_: bool
) -> tuple[list[str] | None, list[str] | None]:
    """The sessions (None: all of them), or the files. An option takes one value: a shell's *.csv gives `more`."""
    if sum((bool(sessions), all_, bool(files))) != 1:
        raise ConfigError(["expected one of --session, --all and --recording"])
    if all_ and more:
        raise ConfigError([f"--all is every session: {' '.join(more)} is too much"])
    return [*sessions, *more] if sessions else None, [*files, *more] if files else None


def _recordings(
    sessions: list[str] | None, files: list[str] | None, device: str, data_dir: Path | None, config: Path | None
) -> Iterator[tuple[Recording, list[Moment]]]:
    from drivers.recordings import formats  # noqa: PLC0415 - it loads NumPy, as the others do
    from monitor.cli import what_if_sessions  # noqa: PLC0415 - likewise
    from monitor.sessions.settings import SessionsConfig  # noqa: PLC0415 - likewise
    from monitor.storage.history import History  # noqa: PLC0415 - likewise

    for name in files or ():
        # A file of another ending was always read as CSV.
        read = formats.reader(Path(name), formats.by_ending(Path(name)) or "csv")(Path(name), device)
        if read.ignored:
            print(f"{name}: columns that are not read: {', '.join(read.ignored)}", file=sys.stderr)
        yield replace(read, name=name), []
    if files:
        return
    settings = SessionsConfig()
    if config is not None or data_dir is None:
        station = configuration(config)
        settings, data_dir = station.sessions, data_dir or Path(station.data_dir)
    history = History(data_dir)
    for one in what_if_sessions.sessions_of(data_dir, sessions):
        yield what_if_sessions.recorded(history, one, settings)
